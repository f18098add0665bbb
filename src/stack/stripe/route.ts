import type { z } from "zod";
import type { Form } from "./form.ts";
import { parameters, read } from "./parameters.ts";

/** One call of the API. `:name` in its path is an id that the call is given. */
export interface Route {
  method: "GET" | "POST" | "DELETE";
  path: string;
  call(form: Form, id: string): object;
}

export function route<Shape extends z.ZodRawShape>(
  method: Route["method"],
  path: string,
  shape: Shape,
  call: (given: z.infer<ReturnType<typeof parameters<Shape>>>, id: string) => object,
): Route {
  const type = parameters(shape);
  return { method, path, call: (form, id) => call(read(type, form), id) };
}
