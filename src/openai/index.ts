export {
  AttemptError,
  readSettlement,
  settlementTrailers,
  type AttemptDispatch,
  type AttemptFailure,
  type AttemptHandler,
  type AttemptTerms,
  type Continuation,
  type Resume,
  type Settlement,
  type TokenNews,
  type Upstream,
} from './attempt.ts';
export { EngineAnswer, type AnswerHandler, type EngineAnswerLimits } from './engine-answer.ts';
export { isPreamble } from './engine-event.ts';
export { engineBody, TEXT_TOKENS_DEFAULT } from './engine-body.ts';
export { errorBody } from './error-body.ts';
export { editMembers, scanMembers } from './json-members.ts';
export { eventData, isDone, SseSplitter } from './sse.ts';
export { addUsage, NO_USAGE, readUsage, usageJson, type Usage } from './usage.ts';
