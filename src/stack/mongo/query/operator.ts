import { failure } from "../errors.ts";

/** Computes an expression from its argument, whose parts `each` evaluates. */
export type Operator = (each: (expression: unknown) => unknown, argument: unknown) => unknown;

export type Operators = Record<`$${string}`, Operator>;

export const MANY = Number.POSITIVE_INFINITY;

/** An operator of a list of arguments; a single one may stand without the list. */
export function of(
  name: string,
  least: number,
  most: number,
  compute: (...values: unknown[]) => unknown,
): Operator {
  return (each, argument) => {
    const list = Array.isArray(argument) ? argument : [argument];
    if (list.length >= least && list.length <= most) return compute(...list.map(each));
    const takes = least === most ? `exactly ${least}` : `${least} to ${most}`;
    throw failure(16020, `Expression ${name} takes ${takes} arguments. ${list.length} were passed in.`);
  };
}

export const isNothing = (value: unknown): value is null | undefined => value === null || value === undefined;
