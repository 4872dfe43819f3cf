import {
  type AgentEvent,
  type Clock,
  EdgeError,
  type EventReader,
  fromWireTime,
  type Intent,
  LIMITS,
  type NewEvent,
  type PolicyContext,
  type Question,
  type QuestionApi,
  toWireTime,
} from '../../../contract/index.ts';
import { eachPageInTurns } from '../../../history/each-event.ts';

export type Order = {
  /** Of the call that asks: asked again under it, it is the same question. */
  readonly questionId: string;
  readonly runId: string;
  readonly intent: Intent;
  readonly text: string;
  readonly choices: readonly string[];
  readonly fallback: string | undefined;
  readonly timeoutMs: number;
  /** The answer is an approval: `mayAnswer` judges it. */
  readonly isApproval: boolean;
  readonly signal: AbortSignal;
};

export type DeskParts = {
  readonly clock: Clock;
  readonly reader: Pick<EventReader, 'read'>;
  /** Resolves when durable. */
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  /**
   * Judges the answer to an approval. Returns the events to log with it; throws `policy.denied`. Absent: every answer is
   * denied.
   */
  readonly mayAnswer?: (
    question: Question,
    decision: 'allow' | 'deny',
    who: PolicyContext,
  ) => Promise<readonly NewEvent[]>;
};

type Settled = Pick<Question, 'state' | 'answer' | 'by'>;

/** Settled questions that are remembered for lists. */
const SETTLED_MAX = 200;
/** Timers wrap around above this, milliseconds. */
const TIMER_MS_MAX = 2_147_483_647;

/**
 * Questions of runs to people. What is asked and what is answered is durable before anybody acts on it, so a
 * question outlives the process that asked: the run asks again under the same id and gets the same answer, or
 * waits for the time that was left.
 */
export class QuestionDesk implements QuestionApi {
  readonly #parts: DeskParts;
  readonly #questions = new Map<string, Question>();
  readonly #listeners = new Map<string, () => void>();
  /** Questions whose end is being written: one end each. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** What the log holds; once, before runs continue. Questions of runs that ended are over. */
  async load(): Promise<void> {
    const kinds = ['question.asked', 'question.answered', 'run.finished'] as const;
    for await (const page of eachPageInTurns(this.#parts.reader, { kinds }))
      for (const event of page) this.#fold(event);
  }

  questions(filter: { readonly all?: boolean } = {}): readonly Question[] {
    const all = [...this.#questions.values()];
    const waiting = all.filter(({ state }) => state === 'waiting').sort(older);
    if (!filter.all) return waiting;
    const settled = all.filter(({ state }) => state !== 'waiting').sort((a, b) => older(b, a));
    return [...waiting, ...settled];
  }

  async answerQuestion(questionId: string, answer: string, who: PolicyContext): Promise<Question> {
    const question = this.#questions.get(questionId);
    // Another tenant's question does not exist.
    if (!question || question.tenant !== who.tenant)
      throw new EdgeError('question.not_found', { operation: 'answer', subject: questionId.slice(0, 64) });
    const now = await this.#standing(questionId);
    if (now.state === 'answered' && now.answer === answer) return now;
    if (now.state !== 'waiting') throw settledAlready(now);
    this.#check(now, answer);
    const events = now.approval ? await this.#mayAnswer(now, answer, who) : [];
    // Policies took their time: it may be settled by now.
    const still = await this.#standing(questionId);
    if (still.state !== 'waiting') {
      if (events.length > 0) await this.#parts.emit(events);
      if (still.state === 'answered' && still.answer === answer) return still;
      throw settledAlready(still);
    }
    const by = who.principal.slice(0, 128);
    await this.#settle(still, { state: 'answered', answer, by }, who.origin, events);
    return this.#questions.get(questionId)!;
  }

  /** As it is once no end of it is being written. */
  async #standing(questionId: string): Promise<Question> {
    await this.#ending.get(questionId);
    return this.#questions.get(questionId)!;
  }

  async #mayAnswer(question: Question, answer: string, who: PolicyContext): Promise<readonly NewEvent[]> {
    const { mayAnswer } = this.#parts;
    if (mayAnswer) return await mayAnswer(question, answer === question.fallback ? 'deny' : 'allow', who);
    throw new EdgeError('policy.denied', {
      operation: 'answer',
      subject: question.question_id,
      message: 'no policies are in force yet',
    });
  }

  /** Resolves with the question once it is settled; rejects with `run.cancelled` when the run ends before that. */
  async ask(order: Order): Promise<Question> {
    const { questionId, signal } = order;
    if (!this.#questions.has(questionId)) await this.#open(order);
    for (;;) {
      const question = this.#questions.get(questionId);
      if (question && question.state !== 'waiting') return question;
      if (signal.aborted || !question) {
        if (question) this.#withdraw(question);
        throw new EdgeError('run.cancelled', { operation: 'person.ask', subject: order.runId });
      }
      const leftMs = this.#leftMs(question);
      if (leftMs <= 0) await this.#expire(question);
      else await this.#wait(questionId, Math.min(leftMs, TIMER_MS_MAX), signal);
    }
  }

  async #open(order: Order): Promise<void> {
    const { clock, emit } = this.#parts;
    if (this.questions().length >= LIMITS.QUESTIONS_WAITING_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'person.ask',
        subject: order.runId,
        message: `${LIMITS.QUESTIONS_WAITING_MAX} questions wait for people already`,
      });
    }
    const expires = toWireTime(clock.now() + BigInt(Math.round(order.timeoutMs)) * 1_000_000n);
    const { tenant, principal } = order.intent.policy_ctx;
    const { questionId, runId, text, choices, fallback, isApproval } = order;
    const approval = isApproval ? ({ approval: true } as const) : {};
    await emit([
      {
        kind: 'question.asked',
        run_id: runId,
        payload: {
          question_id: questionId,
          text,
          ...(choices.length === 0 ? {} : { choices: [...choices] }),
          ...(fallback === undefined ? {} : { fallback }),
          tenant,
          principal,
          expires_ns: expires,
          ...approval,
        },
      },
    ]);
    this.#questions.set(questionId, {
      question_id: questionId,
      run_id: runId,
      text,
      choices,
      fallback,
      tenant,
      principal,
      asked_ts: toWireTime(clock.now()),
      expires_ts: expires,
      state: 'waiting',
      answer: undefined,
      by: undefined,
      ...approval,
    });
  }

  /** Until somebody answers, the time is over, or the run ends. */
  #wait(questionId: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        this.#listeners.delete(questionId);
        resolve();
      };
      const timer = this.#parts.clock.after(ms, done);
      signal.addEventListener('abort', done, { once: true });
      this.#listeners.set(questionId, done);
    });
  }

  async #expire(question: Question): Promise<void> {
    const { question_id, fallback } = question;
    const ending = this.#ending.get(question_id);
    // An answer that is being written came before the end of its time.
    if (ending) return await ending;
    await this.#settle(question, { state: 'expired', answer: fallback, by: '' }, 'runtime');
  }

  /** One end per question, durable before it counts; a second one waits and sees that it is too late. */
  async #settle(
    question: Question,
    end: Settled,
    origin: string,
    before: readonly NewEvent[] = [],
  ): Promise<void> {
    const { question_id, run_id } = question;
    const writing = this.#ending.get(question_id);
    if (writing) {
      await writing;
      const stands = this.#questions.get(question_id)!;
      if (before.length > 0) await this.#parts.emit(before);
      if (end.state === 'answered' && stands.answer !== end.answer) throw settledAlready(stands);
      return;
    }
    const write = this.#parts.emit([
      ...before,
      {
        kind: 'question.answered',
        run_id,
        payload: {
          question_id,
          outcome: end.state === 'waiting' ? 'withdrawn' : end.state,
          ...(end.answer === undefined ? {} : { answer: end.answer }),
          by: end.by ?? '',
          origin: origin.slice(0, 64),
        },
      },
    ]);
    const ended = write.then(() => void this.#questions.set(question_id, { ...question, ...end }));
    // A waiting caller looks at the state afterwards; the writer gets the failure.
    this.#ending.set(
      question_id,
      ended.catch(() => undefined),
    );
    try {
      await ended;
    } finally {
      this.#ending.delete(question_id);
    }
    this.#forget();
    this.#listeners.get(question_id)?.();
  }

  /** The run is over or the daemon stops: no caller waits here. The log knows which of the two it was. */
  #withdraw(question: Question): void {
    this.#questions.set(question.question_id, { ...question, state: 'withdrawn' });
  }

  #check({ choices, question_id }: Question, answer: string): void {
    const fits =
      choices.length === 0 ? answer.length > 0 && answer.length <= 2_048 : choices.includes(answer);
    if (fits) return;
    throw new EdgeError('schema.invalid', {
      operation: 'answer',
      subject: question_id,
      message: choices.length === 0 ? '/answer: 1 to 2048 characters' : '/answer: none of the choices',
      hint: choices.join(' | ').slice(0, 1024),
    });
  }

  #leftMs({ expires_ts }: Question): number {
    const left = (fromWireTime(expires_ts) ?? 0n) - this.#parts.clock.now();
    return Math.ceil(Number(left) / 1e6);
  }

  #fold(event: AgentEvent): void {
    if (event.kind === 'question.asked') {
      const {
        question_id,
        text,
        choices = [],
        fallback,
        tenant,
        principal,
        expires_ns,
        approval,
      } = event.payload;
      this.#questions.set(question_id, {
        question_id,
        run_id: event.run_id ?? '',
        text,
        choices,
        fallback,
        tenant,
        principal,
        asked_ts: event.ts,
        expires_ts: expires_ns,
        state: 'waiting',
        answer: undefined,
        by: undefined,
        ...(approval ? { approval } : {}),
      });
    } else if (event.kind === 'question.answered') {
      const { question_id, outcome, answer, by } = event.payload;
      const question = this.#questions.get(question_id);
      if (question) this.#questions.set(question_id, { ...question, state: outcome, answer, by });
      this.#forget();
    } else if (event.kind === 'run.finished') {
      for (const question of this.#questions.values())
        if (question.run_id === event.run_id && question.state === 'waiting') this.#withdraw(question);
    }
  }

  #forget(): void {
    const settled = [...this.#questions.values()].filter(({ state }) => state !== 'waiting').sort(older);
    for (const { question_id } of settled.slice(0, Math.max(0, settled.length - SETTLED_MAX)))
      this.#questions.delete(question_id);
  }
}

function older(a: Question, b: Question): number {
  return a.question_id < b.question_id ? -1 : 1;
}

function settledAlready({ question_id, state, answer }: Question): EdgeError {
  return new EdgeError('question.answered', {
    operation: 'answer',
    subject: question_id,
    message: answer === undefined ? `it is ${state}` : `it is ${state}: ${answer.slice(0, 200)}`,
  });
}
