/** Components that are rendered again only when a property has changed, as `memo` of React. */

import { Component, type VNode } from "../vendor/preact.js";

export function memo<Props extends object>(render: (props: Props) => VNode): new () => Component<Props> {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const names = new Set([...Object.keys(this.props), ...Object.keys(next)]) as Set<keyof Props>;
      return [...names].some((name) => this.props[name] !== next[name]);
    }

    render(props: Props): VNode {
      return render(props);
    }
  };
}
