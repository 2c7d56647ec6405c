export {
  AttemptError,
  readSettlement,
  settlementTrailers,
  type AttemptDispatch,
  type AttemptFailure,
  type AttemptTerms,
  type Settlement,
  type Upstream,
} from './attempt.ts';
export { EngineAnswer, type AnswerHandler, type EngineAnswerLimits } from './engine-answer.ts';
export { engineBody } from './engine-body.ts';
export { errorBody } from './error-body.ts';
export { editMembers, scanMembers } from './json-members.ts';
export { eventData, SseSplitter } from './sse.ts';
export { NO_USAGE, readUsage, usageJson, type Usage } from './usage.ts';
