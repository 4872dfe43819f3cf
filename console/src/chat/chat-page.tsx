/** Conversations with agents: words as they come, tool calls and images as they happen, what waits, and what it costs. */
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { AskPanel } from '../ask/ask-panel.tsx';
import { goTo } from '../lib/address.ts';
import { callFirst, type Refusal, send } from '../lib/api.ts';
import { count } from '../lib/format.ts';
import { useMayNot } from '../lib/me.ts';
import { usePolled } from '../lib/polled.ts';
import { nameOf } from '../lib/run-name.ts';
import type { RunDetails } from '../lib/views.ts';
import type { PageProps } from '../pages.tsx';
import { withoutSaid } from '../story/story.ts';
import { StoryList, Words } from '../story/story-list.tsx';
import { useStory } from '../story/use-story.ts';
import { useTokens } from './use-tokens.ts';

const SESSIONS_MS = 3000;
const SESSION_MS = 1000;

type State = 'queued' | 'working' | 'waiting' | 'asking' | 'paused' | 'ended';
type Session = {
  readonly session_id: string;
  readonly state: State;
  readonly reason: string;
  readonly details: RunDetails;
};

export default function ChatPage({ argument }: PageProps) {
  const { data, again } = usePolled<{ sessions: readonly Session[] }>('/v1/sessions', SESSIONS_MS);
  const sessions = data?.sessions ?? [];
  return (
    <div className="page" id="page-chat">
      <section aria-labelledby="chats-title" id="chats">
        <h2 id="chats-title" tabIndex={-1}>
          Conversations
        </h2>
        <p>
          <a href="#/chat" aria-current={argument === '' ? 'true' : undefined}>
            New
          </a>
        </p>
        <ul>
          {sessions.map((session) => (
            <li key={session.session_id}>
              <a
                href={`#/chat/${session.session_id}`}
                aria-current={session.session_id === argument ? 'true' : undefined}
              >
                {nameOf(session.details)}
              </a>
              <span className="why">{` ${session.state}`}</span>
            </li>
          ))}
        </ul>
      </section>
      {argument === '' ? (
        <NewChat opened={() => void again()} />
      ) : (
        <Conversation key={argument} id={argument} />
      )}
    </div>
  );
}

type App = { readonly name: string; readonly harness: string; readonly intents: readonly string[] };
const GENERAL = 'robot/chat';

function NewChat({ opened }: { opened: () => void }) {
  const [type, setType] = useState(GENERAL);
  const [fault, setFault] = useState('');
  const { data } = usePolled<{ apps: readonly App[] }>('/v1/apps', 30_000);
  const agents = (data?.apps ?? [])
    .filter(({ harness }) => harness === 'pi')
    .flatMap(({ intents }) => intents);
  const start = async (text: string) => {
    try {
      const session = await send<Session>('/v1/sessions', { type, text });
      opened();
      goTo(`#/chat/${session.session_id}`);
      return true;
    } catch (error) {
      setFault((error as Error).message);
      return false;
    }
  };
  return (
    <div className="column">
      <AskPanel />
      <section aria-labelledby="new-chat-title">
        <h2 id="new-chat-title">Talk with an agent</h2>
        <label>
          Agent{' '}
          <select value={type} onChange={(event) => setType(event.target.value)}>
            {[...new Set([GENERAL, ...agents])].map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <Composer label="What do you want to say?" send={start} />
        <p role="alert" className="bad">
          {fault}
        </p>
      </section>
    </div>
  );
}

function Conversation({ id }: { id: string }) {
  const path = `/v1/sessions/${encodeURIComponent(id)}`;
  const { data: session, error, old, again } = usePolled<Session>(path, SESSION_MS);
  const over = session?.state === 'ended';
  const { story, error: fault } = useStory(id, over);
  const [note, setNote] = useState('');
  const mayNot = useMayNot();
  const said = story.items.flatMap((item) => (item.kind === 'said' && !item.toAgent ? [item.text] : []));
  const tokens = useTokens(id, session !== undefined && !over, said.length);
  const live = withoutSaid(tokens.text, said.slice(tokens.saidBefore));
  const end = useRef<HTMLLIElement>(null);
  const size = `${story.items.length} ${live.length}`;
  useEffect(() => {
    // Who reads further up stays there.
    const list = end.current?.parentElement;
    if (size && list && list.scrollHeight - list.scrollTop - list.clientHeight < 240)
      list.scrollTop = list.scrollHeight;
  }, [size]);
  const say = async (way: 'steer' | 'follow-up', text: string) => {
    try {
      await send(`${path}/${way}`, { text });
      setNote('');
      await again();
      return true;
    } catch (refusal) {
      setNote(`not taken: ${(refusal as Error).message}`);
      return false;
    }
  };
  const stop = async () => {
    const response = await callFirst(`${path}/stop`).catch(() => undefined);
    setNote(response?.ok ? 'stopped' : 'NOT STOPPED: use the emergency stop');
    await again();
  };
  const close = () =>
    send(`${path}/close`, {}).then(
      () => setNote('it ends when it waits'),
      (refusal: Refusal) => setNote(`not taken: ${refusal.message}`),
    );
  const words = session?.details.intent?.params?.['words'];
  return (
    <section className="chat" aria-labelledby="chat-title">
      <h2 id="chat-title">{session ? nameOf(session.details) : 'Conversation'}</h2>
      <p id="chat-state" className={error ? 'bad' : old ? 'old' : ''} role="status">
        {error ? `not known: ${error.message}` : session ? stateText(session) : 'reading'}
        <span className="why">{costText(story)}</span>
      </p>
      <ol
        id="conversation"
        aria-label="conversation"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
        tabIndex={0}
      >
        {typeof words === 'string' && words !== '' && (
          <li className="said mine">
            <p className="words">{words}</p>
          </li>
        )}
        <StoryList runId={id} items={story.items} />
        {live !== '' && (
          <li className="said live">
            <p className="who">agent writes</p>
            <Words text={live} />
          </li>
        )}
        {live === '' && tokens.thinking && <li className="fact">thinking</li>}
        <li ref={end} aria-hidden="true" />
      </ol>
      <p role="alert" className={note.startsWith('no') || note.startsWith('NOT') ? 'bad' : ''}>
        {note || (fault && `the story is of before: ${fault}`)}
      </p>
      {!over && session && (
        <>
          <Composer
            label="Say something"
            send={(text) => say('steer', text)}
            {...(session.state === 'working' ? { later: (text: string) => say('follow-up', text) } : {})}
          />
          <div className="row">
            <button type="button" onClick={() => void stop()}>
              Stop the agent
            </button>
            <button type="button" disabled={mayNot !== ''} onClick={() => void close()}>
              End the conversation
            </button>
            <a href={`#/runs/${id}`}>its run</a>
          </div>
        </>
      )}
    </section>
  );
}

const stateText = ({ state, reason }: Session) => (reason ? `${state}: ${reason}` : state);

function costText({ model, contextUsed, costUsd }: ReturnType<typeof useStory>['story']): string {
  const parts = [
    ...(model ? [model] : []),
    ...(contextUsed === undefined ? [] : [`${count(contextUsed)} tokens of context`]),
    ...(costUsd === undefined ? [] : [`$${costUsd.toFixed(costUsd < 0.1 ? 4 : 2)}`]),
  ];
  return parts.length === 0 ? '' : ` · ${parts.join(' · ')}`;
}

/** A field of words. Enter sends, with Shift it is a new line. `send` resolves with whether they were taken. */
function Composer(props: {
  label: string;
  send: (text: string) => Promise<boolean>;
  /** Also: when the agent has done its work. */
  later?: (text: string) => Promise<boolean>;
}) {
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const mayNot = useMayNot();
  const give = async (way: (text: string) => Promise<boolean>) => {
    if (text.trim() === '' || busy || mayNot !== '') return;
    setBusy(true);
    // Words that were not taken stay in the field, and so does what was typed meanwhile.
    if (await way(text.trim())) setText((now) => (now === text ? '' : now));
    setBusy(false);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void give(props.send);
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void give(props.send);
      }}
    >
      <textarea
        aria-label={props.label}
        placeholder={props.label}
        rows={2}
        maxLength={8000}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={key}
      />
      <button type="submit" disabled={busy || mayNot !== ''}>
        Send
      </button>
      {props.later && (
        <button type="button" disabled={busy || mayNot !== ''} onClick={() => void give(props.later!)}>
          When it is done
        </button>
      )}
      {mayNot !== '' && <p className="why">{mayNot}</p>}
    </form>
  );
}
