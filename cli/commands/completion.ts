import type { Command } from 'commander';

/** Shell completion, made from the commands themselves so that it cannot fall behind. */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion <shell>')
    .description('print a completion script for bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(auraison completion bash)\n  auraison completion fish > ~/.config/fish/completions/auraison.fish',
    )
    .action((shell: string) => {
      const script = { bash, zsh, fish }[shell];
      if (!script) {
        process.stderr.write(`auraison: no completion for "${shell}"; choose bash, zsh or fish\n`);
        process.exitCode = 2;
        return;
      }
      process.stdout.write(`${script(wordsOf(program), valued(program))}\n`);
    });
}

type Words = { readonly path: string; readonly words: readonly string[] };

/** For each command path (`bag play`) the words that may follow it. */
export function wordsOf(program: Command): Words[] {
  const found: Words[] = [];
  const walk = (command: Command, path: string) => {
    const options = [...command.options, ...program.options].flatMap((option) =>
      option.long ? [option.long] : [],
    );
    found.push({
      path,
      words: [...new Set([...command.commands.map((sub) => sub.name()), ...options, '--help'])],
    });
    for (const sub of command.commands) walk(sub, path === '' ? sub.name() : `${path} ${sub.name()}`);
  };
  walk(program, '');
  return found;
}

/** Options whose next word is a value and no command. */
function valued(program: Command): string[] {
  const all = (command: Command): string[] => [
    ...command.options.flatMap((option) => (option.required && option.long ? [option.long] : [])),
    ...command.commands.flatMap(all),
  ];
  return [...new Set(all(program))];
}

function bash(words: readonly Words[], withValue: readonly string[]): string {
  const cases = words.map(({ path, words: next }) => `    "${path}") next="${next.join(' ')}" ;;`).join('\n');
  const known = words.map(({ path }) => path).join('|');
  // Words that name no command are its arguments; after an option with a value, and where nothing fits, files.
  return `_auraison() {
  local path="" word next="" known="|${known}|" valued=" ${withValue.join(' ')} " i
  local current="\${COMP_WORDS[COMP_CWORD]}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ $valued == *" $word "* ]]; then
      ((++i))
      ((i == COMP_CWORD)) && { COMPREPLY=($(compgen -f -- "$current")); return; }
      continue
    fi
    next="\${path:+$path }$word"
    [[ $known == *"|$next|"* ]] && path="$next"
  done
  next=""
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$next" -- "$current"))
}
complete -o default -F _auraison auraison`;
}

function zsh(words: readonly Words[], withValue: readonly string[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bash(words, withValue)}`;
}

function fish(words: readonly Words[]): string {
  const lines = words.flatMap(({ path, words: next }) => {
    const parts = path === '' ? [] : path.split(' ');
    const condition =
      parts.length === 0 ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${parts.at(-1)}`;
    return next.map(
      (word) =>
        `complete -c auraison -n '${condition}' ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`}`,
    );
  });
  return lines.join('\n');
}
