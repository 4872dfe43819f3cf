import { type FormEvent, type ReactNode, useMemo, useState } from 'react';
import { type Channel, decoderOf } from '../link/sample.ts';
import { fieldsOf, signalOf } from './fields.ts';

/** What one list shows at most: a robot may have thousands of fields. */
const CHOICES_MAX = 400;

type FieldPickerProps = {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly isFull: boolean;
  readonly onAdd: (text: string) => void;
  readonly children: ReactNode;
};

/** A field with completion: first the topics, then the numbers of the topic. */
export function FieldPicker({ channels, isFull, onAdd, children }: FieldPickerProps) {
  const [text, setText] = useState('');
  const [fault, setFault] = useState('');
  const choices = useMemo(() => choicesFor(text, channels), [text, channels]);
  const add = (event: FormEvent) => {
    event.preventDefault();
    const signal = signalOf(text);
    if (isFull) setFault('no more signals fit: remove one first');
    else if (!signal) setFault('expected a topic and a field, like /odom.twist.twist.linear.x');
    else {
      setFault('');
      setText('');
      onAdd(signal.text);
    }
  };
  return (
    <form className="bar" onSubmit={add}>
      <label htmlFor="plot-field">Field</label>
      <input
        id="plot-field"
        type="text"
        list="plot-fields"
        autoComplete="off"
        spellCheck={false}
        placeholder="/topic.field"
        value={text}
        aria-describedby="plot-fault"
        onChange={(event) => setText(event.target.value)}
      />
      <datalist id="plot-fields">
        {choices.map((choice) => (
          <option key={choice} value={choice} />
        ))}
      </datalist>
      {children}
      <button type="submit">Add</button>
      <span id="plot-fault" className="bad" role="alert">
        {fault}
      </span>
    </form>
  );
}

function choicesFor(text: string, channels: ReadonlyMap<string, Channel>): string[] {
  const [topic = ''] = text.split(/[.[]/);
  const channel = channels.get(topic);
  if (!channel || text === topic) {
    const names = [...channels.values()].filter((one) => one.topic.includes(text)).sort(byTopic);
    // The topic that is typed in full comes with its fields.
    return [...(channel ? fieldsIn(channel) : []), ...names.map((one) => `${one.topic}.`)].slice(
      0,
      CHOICES_MAX,
    );
  }
  return fieldsIn(channel).slice(0, CHOICES_MAX);
}

const byTopic = (a: Channel, b: Channel) => a.topic.localeCompare(b.topic);

function fieldsIn(channel: Channel): string[] {
  const decoder = decoderOf(channel);
  return decoder instanceof Error ? [] : fieldsOf(channel.topic, decoder.definitions);
}
