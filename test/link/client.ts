import type { Dispatcher } from 'undici';
import { AnswerRecorder } from '../openai/answer-recorder.ts';

/** A recorder that hands out its controller. */
export class Client extends AnswerRecorder {
  controller: Dispatcher.DispatchController | null = null;
  /** Pauses after each piece. */
  pauseAfterData = false;

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
  }

  override onResponseData(controller: unknown, chunk: Buffer): void {
    super.onResponseData(controller, chunk);
    if (this.pauseAfterData) this.controller?.pause();
  }
}
