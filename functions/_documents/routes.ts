/**
 * The live route that a request's method and path belong to. Where several match, the one that says more of the path
 * itself wins, from the left: `/orders/new` before `/orders/{}`.
 */
export function matchRoute(routes: readonly string[], method: string, path: string): string | undefined {
  const wanted = segmentsOf(path);
  const matching = routes.filter((route) => {
    const [claimed = "", template = ""] = route.split(" ");
    const parts = segmentsOf(template);
    return claimed === method && parts.length === wanted.length &&
      parts.every((part, at) => part === "{}" ? wanted[at] !== "" : part === wanted[at]);
  });
  const rank = (route: string) => segmentsOf(route).map((part) => part === "{}" ? "1" : "0").join("");
  return matching.toSorted((a, b) => rank(a) < rank(b) ? -1 : 1)[0];
}

const segmentsOf = (path: string) => path.replace(/\{\w*\}/g, "{}").split("/");
