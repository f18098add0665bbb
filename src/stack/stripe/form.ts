export type Form = { [name: string]: string | Form };

/** Reads `items[0][price]=…&metadata[plan]=…` into nested objects; lists have their indexes as names. */
export function parseForm(text: string): Form {
  const form: Form = Object.create(null);
  for (const [key, value] of new URLSearchParams(text)) {
    const names = key.split(/\[|\]\[|\]/).filter((name, index) => index === 0 || name !== "");
    const last = names.pop() ?? "";
    let inner = form;
    for (const name of names) {
      const next = asForm(inner[name]);
      inner[name] = next;
      inner = next;
    }
    // `expand[]=…` several times over
    if (key.endsWith("[]"))
      inner[last] = { ...asForm(inner[last]), [Object.keys(asForm(inner[last])).length]: value };
    else inner[last] = value;
  }
  return form;
}

const asForm = (value: string | Form | undefined): Form =>
  typeof value === "object" ? value : Object.create(null);
