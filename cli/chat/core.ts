import { isStopOrder } from '../../contract/core.ts';
import { Asked, type OpenApproval } from './asked.ts';
import { HELP, meaningOf, type Said } from './commands.ts';
import { Draft } from './draft.ts';
import { shownOf } from './event-shown.ts';
import { Outbox } from './outbox.ts';
import { RobotStops } from './robot-stops.ts';
import type { Input, Order, Settled, Shown, Status, Step } from './shown.ts';
import { modelsText, StatusBook } from './status-book.ts';

type Message = Extract<Order, { readonly do: 'message' }>;
type Answer = Extract<Order, { readonly do: 'approve' | 'answer' }>;
type Given = { readonly order: Answer; readonly approval?: OpenApproval };
type EventInput = Extract<Input, { readonly kind: 'event' }>['event'];

/**
 * A conversation as a person sees it: each input gives what is shown and what has to be done. No input or output, no
 * clock; ids come from `nextId` (UUIDv7). One object for one conversation.
 */
export class ChatCore {
  readonly #nextId: () => string;
  readonly #asked = new Asked();
  readonly #draft = new Draft();
  readonly #outbox = new Outbox();
  /** Ids of what this person said; the log says it once more, with the same id. */
  readonly #mine = new Set<string>();
  readonly #answers = new Map<string, Given>();
  readonly #questions = new Set<string>();
  readonly #book = new StatusBook();
  #session: string | undefined;
  #creating: string | undefined;
  #early: Message[] = [];
  /** The person pressed Ctrl-C, and has said nothing since. */
  #stopping = false;
  readonly #robotStops: RobotStops;
  /** Id of the newest words that have no answer yet; `heard` once the log has them. */
  #owed: string | undefined;
  /** All of the past was read once. */
  #live = false;
  #shown: Shown[] = [];
  #orders: Order[] = [];

  constructor(nextId: () => string) {
    this.#nextId = nextId;
    this.#robotStops = new RobotStops(nextId);
  }

  get status(): Status {
    return this.#book.now;
  }

  get session(): string | undefined {
    return this.#session;
  }

  /** The answer that is still coming. */
  get draft(): string {
    return this.#draft.text;
  }

  get asked(): Asked['open'] {
    return this.#asked.open;
  }

  /** All that was said has arrived and was answered, and nothing waits for a person. */
  get idle(): boolean {
    const { state } = this.status;
    return (
      !this.#outbox.busy &&
      this.#creating === undefined &&
      this.#answers.size === 0 &&
      !this.#robotStops.busy &&
      (state === 'ended' || state === 'new' || (state === 'waiting' && this.#owed === undefined))
    );
  }

  take(input: Input): Step {
    this.#shown = [];
    this.#orders = [];
    this.#take(input);
    return { shown: this.#shown, orders: this.#orders };
  }

  #take(input: Input): void {
    if (input.kind === 'line') this.#line(meaningOf(input.text, this.#asked.open.length > 0));
    else if (input.kind === 'asked') this.#line(input.said);
    else if (input.kind === 'start') this.#create('');
    else if (input.kind === 'interrupt') this.#interrupt();
    else if (input.kind === 'opened') this.#opened(input.session_id, input.words);
    else if (input.kind === 'settled') this.#settled(input.id, input.result);
    else if (input.kind === 'session') this.#update({ state: input.box.state, reason: input.box.reason });
    else if (input.kind === 'event') this.#event(input.event);
    else if (input.kind === 'token') this.#token(input.token);
    else if (input.kind === 'caught_up') this.#caughtUp();
    else if (input.kind === 'lost') {
      if (this.status.connected) this.#shown.push({ kind: 'connection', state: 'lost', text: input.why });
      this.#update({ connected: false });
    } else {
      this.#book.sizes = input.sizes;
      if (input.list === true) this.#note(modelsText(input.sizes));
      this.#update({});
    }
  }

  #line(said: Said): void {
    if (said.kind === 'quit') this.#orders.push({ do: 'leave' });
    else if (said.kind === 'help') this.#note(HELP);
    else if ((said.kind === 'say' || said.kind === 'follow') && isStopOrder(said.text))
      this.#stopRobot(said.text);
    else if (this.status.state === 'ended')
      this.#note('the session has ended; auraison chat starts another one');
    else if (said.kind === 'wrong') this.#shown.push({ kind: 'error', text: said.why });
    else if (said.kind === 'stop') this.#stop();
    else if (said.kind === 'approve') this.#approve(said.decision, said.name);
    else if (said.kind === 'answer') this.#answer(said.text);
    else if (said.kind === 'close') this.#send('close', {});
    else if (said.kind === 'compact')
      this.#send('messages', { kind: 'compact', ...(said.text === '' ? {} : { text: said.text }) });
    else if (said.kind === 'model' && said.text === '') this.#orders.push({ do: 'models' });
    else if (said.kind === 'model') this.#send('messages', { kind: 'model', model: said.text });
    else if (said.kind === 'thinking') this.#send('messages', { kind: 'thinking', level: said.text });
    else if (said.kind === 'say' || said.kind === 'follow') this.#say(said.kind, said.text);
  }

  #say(kind: 'say' | 'follow', text: string): void {
    // What is left of an answer that was broken off; an event that it waits may be older than the newest tokens.
    if (this.status.state === 'waiting') this.#unfinished();
    this.#shown.push({ kind: 'said', by: 'you', text });
    this.#stopping = false;
    if (this.#session === undefined && this.#creating === undefined) {
      this.#create(text);
      return;
    }
    const sent = this.#send(kind === 'say' ? 'steer' : 'follow-up', { text });
    if (sent !== undefined) this.#owed = sent;
  }

  #create(text: string): void {
    this.#creating = this.#nextId();
    this.#owed = 'heard';
    this.#orders.push({ do: 'create', id: this.#creating, text });
  }

  #send(path: Message['path'], body: Message['body']): string | undefined {
    const id = this.#nextId();
    const order: Message = { do: 'message', id, path, body: { ...body, message_id: id } };
    if (this.#session === undefined) {
      if (this.#creating === undefined) this.#note('say something first: that starts the session');
      else this.#early.push(order);
      return this.#creating === undefined ? undefined : id;
    }
    const orders = this.#outbox.add(order);
    if (!orders) {
      this.#shown.push({ kind: 'error', text: 'not sent: too much waits for the daemon already' });
      return undefined;
    }
    this.#mine.add(id);
    this.#orders.push(...orders);
    return id;
  }

  #interrupt(): void {
    const over =
      this.status.state === 'ended' || (this.#session === undefined && this.#creating === undefined);
    if (over || this.#stopping) {
      this.#orders.push({ do: 'leave' });
      return;
    }
    this.#stop();
    this.#note('stopping what the agent does, its motion first; Ctrl-C again leaves, and the session stays');
  }

  #stop(): void {
    this.#stopping = true;
    const unsent = this.#early.splice(0);
    if (this.#session !== undefined) {
      const { orders, dropped } = this.#outbox.stop(this.#stopMessage());
      this.#orders.push(...orders);
      unsent.push(...dropped);
    } else if (this.#creating === undefined) {
      this.#note('the agent does nothing');
      return;
    }
    this.#drop(unsent);
  }

  #stopMessage(): Message {
    const id = this.#nextId();
    this.#mine.add(id);
    return { do: 'message', id, path: 'stop', body: { message_id: id } };
  }

  /** The robot is stopped at once, beside whatever is being sent; what was said before and not sent is dropped. */
  #stopRobot(words: string): void {
    this.#shown.push({ kind: 'said', by: 'you', text: words });
    const unsent = this.#early.splice(0);
    if (this.#session === undefined || this.status.state === 'ended')
      this.#orders.push(this.#robotStops.toRobot(words, this.#creating !== undefined));
    else unsent.push(...this.#stopInWords(words));
    this.#drop(unsent);
  }

  /** To the session; gives what was not sent yet. */
  #stopInWords(words: string): readonly Message[] {
    const order = this.#robotStops.toSession(words);
    this.#mine.add(order.id);
    const { orders, dropped } = this.#outbox.stop(order);
    this.#orders.push(...orders);
    return dropped;
  }

  #drop(unsent: readonly Message[]): void {
    for (const { id, body } of unsent) {
      if (this.#owed === id) this.#owed = undefined;
      this.#note(`not sent: ${wordsOf(body)}`);
    }
  }

  #opened(session: string, words: string | undefined): void {
    this.#session = session;
    this.#shown.push({ kind: 'session', session_id: session });
    if (words !== undefined) this.#shown.push({ kind: 'said', by: 'first words', text: words });
    // Said before there was a session to stop.
    const early = this.#robotStops.early();
    if (early !== undefined) this.#stopInWords(early);
    else if (this.#stopping) this.#orders.push(...this.#outbox.stop(this.#stopMessage()).orders);
    for (const order of this.#early.splice(0)) {
      this.#mine.add(order.id);
      this.#orders.push(...(this.#outbox.add(order) ?? []));
    }
  }

  #settled(id: string, result: Settled): void {
    const ordered = this.#robotStops.settled(id, result);
    if (ordered) {
      // One that is unsure goes another way: the session need not hear it again.
      this.#orders.push(...this.#outbox.settled(id, { as: 'done' }, () => this.#stopMessage()));
      if (ordered.again) this.#orders.push(ordered.again);
      this.#shown.push(...ordered.shown);
      return;
    }
    if (id === this.#creating) {
      this.#creating = undefined;
      if (result.as !== 'done') {
        this.#robotStops.early();
        this.#owed = undefined;
        this.#early = [];
        this.#failed('the session was not opened', result);
      }
      return;
    }
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    if (answer) {
      if (result.as === 'done') return;
      this.#failed('the answer was not taken', result);
      if (answer.approval) this.#asked.add(answer.approval);
      if (answer.order.do === 'answer') this.#questions.add(answer.order.question_id);
      return;
    }
    this.#orders.push(...this.#outbox.settled(id, result, () => this.#stopMessage()));
    if (result.as === 'refused') {
      this.#mine.delete(id);
      if (this.#owed === id) this.#owed = undefined;
    }
    if (result.as !== 'done') this.#failed('the message was not taken', result);
  }

  #failed(what: string, result: Exclude<Settled, { readonly as: 'done' }>): void {
    const unsure = result.as === 'unsure' ? '; whether it arrived is seen once the connection is back' : '';
    this.#shown.push({ kind: 'error', text: `${what}: ${result.why}${unsure}` });
  }

  #approve(decision: 'allow' | 'deny', name: string): void {
    const meant = this.#asked.meant(name);
    if (typeof meant === 'string') {
      this.#note(meant);
      return;
    }
    const order: Answer = { do: 'approve', id: this.#nextId(), approval_id: meant.approval_id, decision };
    this.#asked.take(meant.approval_id);
    this.#answers.set(order.id, { order, approval: meant });
    this.#orders.push(order);
  }

  #answer(answer: string): void {
    const [question] = this.#questions;
    if (question === undefined) {
      this.#note('the agent asks nothing');
      return;
    }
    this.#questions.delete(question);
    const order: Answer = { do: 'answer', id: this.#nextId(), question_id: question, answer };
    this.#answers.set(order.id, { order });
    this.#orders.push(order);
  }

  #token(token: Extract<Input, { readonly kind: 'token' }>['token']): void {
    if (token.kind === 'gap') this.#draft.gap();
    if (token.kind !== 'text') return;
    const text = this.#draft.token(token.text);
    if (text !== '') this.#shown.push({ kind: 'token', text });
  }

  #event(event: EventInput): void {
    switch (event.kind) {
      case 'run.message': {
        const { message_id, kind, body } = event.payload;
        this.#outbox.heard(message_id);
        if (message_id === this.#owed) this.#owed = 'heard';
        const { model, level } = body as { model?: string; level?: string };
        if (kind === 'model' && model !== undefined) this.#update({ model });
        if (kind === 'thinking' && level !== undefined) this.#update({ thinking: level });
        if (this.#mine.has(message_id)) return;
        break;
      }
      case 'run.phase':
        if (event.payload.phase === 'waiting') this.#waits();
        return;
      case 'approval.requested':
        this.#asked.add(event.payload);
        break;
      case 'approval.answered':
        this.#asked.lose(event.payload.approval_id, this.#live);
        break;
      case 'question.asked':
        this.#questions.add(event.payload.question_id);
        break;
      case 'question.answered':
        this.#questions.delete(event.payload.question_id);
        return;
      case 'model.returned':
        this.#shown.push(...this.#book.counted(event));
        break;
      case 'run.finished':
        this.#unfinished();
        this.#shown.push(...shownOf(event));
        this.#update({ state: 'ended', reason: event.payload.reason });
        return;
    }
    for (const shown of shownOf(event)) this.#show(shown);
  }

  #show(shown: Shown): void {
    if (shown.kind !== 'said' || shown.by !== 'agent') {
      this.#shown.push(shown);
      return;
    }
    if (this.#draft.wasShown(shown.text)) return;
    const rest = this.#draft.whole(shown.text);
    this.#shown.push(rest === undefined ? shown : { ...shown, rest });
  }

  #waits(): void {
    if (this.#owed === 'heard') this.#owed = undefined;
  }

  /** An answer that was broken off is shown as far as it came. */
  #unfinished(): void {
    const text = this.#draft.end();
    if (text !== '') this.#shown.push({ kind: 'said', by: 'agent', text, rest: '' });
  }

  #caughtUp(): void {
    if (!this.status.connected)
      this.#shown.push({
        kind: 'connection',
        state: 'back',
        text: 'the daemon is back; above is what was missed',
      });
    this.#live = true;
    this.#draft.forget();
    this.#update({ connected: true });
    const { orders, lost } = this.#outbox.caughtUp();
    this.#orders.push(...orders);
    for (const { id, body } of lost) {
      this.#mine.delete(id);
      this.#shown.push({
        kind: 'error',
        text: `the daemon did not hear: ${wordsOf(body)}; say it again if you still want it`,
      });
    }
    if (lost.some(({ id }) => id === this.#owed)) this.#owed = undefined;
  }

  #update(change: Partial<Status>): void {
    this.#shown.push(...this.#book.change(change));
  }

  #note(text: string): void {
    this.#shown.push({ kind: 'note', text });
  }
}

function wordsOf(body: Message['body']): string {
  const { text, model, level, kind } = body;
  return String(text ?? model ?? level ?? kind ?? 'a close');
}
