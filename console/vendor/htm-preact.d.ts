// What the console uses of Preact and htm.

export type Child = VNode | string | number | boolean | null | undefined | Child[];
export interface VNode {
  type: unknown;
  props: Record<string, unknown>;
}
type Render<P> = (props: P) => Child;

export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
export function render(node: Child, parent: Element): void;
export abstract class Component<P = {}, S = {}> {
  constructor(props?: P);
  props: P;
  state: S;
  setState(state: Partial<S>): void;
  forceUpdate(): void;
  componentDidMount?(): void;
  componentDidUpdate?(before: P): void;
  componentWillUnmount?(): void;
  shouldComponentUpdate?(next: P): boolean;
  abstract render(props: P, state: S): Child;
}
export interface Ref<T> {
  current: T;
}
export function useState<T>(first: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export function useReducer<T, A>(reduce: (state: T, action: A) => T, first: T): [T, (action: A) => void];
export function useEffect(run: () => void | (() => void), on?: unknown[]): void;
export function useLayoutEffect(run: () => void | (() => void), on?: unknown[]): void;
export function useRef<T>(first: T): Ref<T>;
export function useMemo<T>(make: () => T, on: unknown[]): T;
export function useErrorBoundary(caught?: (error: Error) => void): [Error | undefined, () => void];
