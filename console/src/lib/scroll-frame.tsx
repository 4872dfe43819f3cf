import type { ReactNode, Ref } from 'react';

type ScrollFrameProps = {
  /** What is in it, for those who do not see it. */
  readonly label: string;
  readonly id?: string;
  /** Further classes: its height. */
  readonly className?: string;
  /** What it shows is from before the connection was lost. */
  readonly old?: boolean;
  readonly hidden?: boolean;
  readonly ref?: Ref<HTMLDivElement>;
  readonly children: ReactNode;
};

/** A frame that scrolls what is too wide or too long for the page; the keyboard reaches it. */
export function ScrollFrame({ label, className, old = false, children, ...rest }: ScrollFrameProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a frame that scrolls, not a set of fields
    <div
      {...rest}
      className={['scroll', className, old && 'old'].filter(Boolean).join(' ')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
      tabIndex={0}
      role="group"
      aria-label={label}
    >
      {children}
    </div>
  );
}
