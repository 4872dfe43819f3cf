import { Component, type ReactNode } from 'react';

/** A part that cannot be drawn, or loaded, says so in its place: nothing beside it goes, the stops least of all. */
export class FaultBox extends Component<{ children: ReactNode }, { fault: string }> {
  override state = { fault: '' };

  static getDerivedStateFromError(error: unknown): { fault: string } {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.fault === '') return this.props.children;
    return (
      <section role="alert">
        <h2>This cannot be shown</h2>
        <p className="bad">{this.state.fault}</p>
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </section>
    );
  }
}
