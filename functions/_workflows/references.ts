import type { Binding, Condition, Expression } from "./expressions.ts";
import { predecessors } from "./graph.ts";
import { collector, type Issue, pointerPath } from "./issues.ts";
import { fitsType, isOrdered, type Parameter } from "./parameters.ts";
import { readSql } from "./sql-text.ts";
import { readUrlTemplate, type Step } from "./steps.ts";
import { templateNames } from "./trigger.ts";
import type { WorkflowDefinition } from "./workflow.ts";

type Path = readonly PropertyKey[];

/** What is wrong with what a workflow's parts say of each other: parameters, bound values, pointers. */
export function checkReferences(definition: WorkflowDefinition): Issue[] {
  const { parameters = [], steps, edges, cache, trigger } = definition;
  const { issues, add } = collector();
  const declared = new Map(parameters.map((parameter) => [parameter.name, parameter]));

  parameters.forEach((parameter, at) => {
    if (declared.get(parameter.name) !== parameter) {
      add(`another parameter is called ${parameter.name}`, "parameters", at, "name");
    }
    for (const [message, ...path] of problemsOf(parameter, trigger.type)) {
      add(message, "parameters", at, ...path);
    }
  });
  if (trigger.type === "http") {
    const names = templateNames(trigger.path);
    if (new Set(names).size < names.length) add("a name stands twice in the path", "trigger", "path");
    for (const name of new Set(names)) {
      if (declared.get(name)?.in !== "path") {
        add(`${name} is not declared as a parameter in the path`, "trigger", "path");
      }
    }
    parameters.forEach(({ name, in: place }, at) => {
      if (place === "path" && !names.includes(name)) {
        add(`{${name}} does not stand in the path`, "parameters", at, "in");
      }
      if (place === "body" && (trigger.method === "GET" || trigger.method === "DELETE")) {
        add(`${trigger.method} has no body`, "parameters", at, "in");
      }
    });
  }
  if (cache && (trigger.type !== "http" || trigger.method !== "GET")) {
    add("only answers to GET are cached", "cache");
  }
  cache?.vary_by?.forEach((name, at) => {
    if (!declared.has(name)) add(`there is no parameter ${name}`, "cache", "vary_by", at);
  });

  const before = predecessors(edges, steps.map(({ id }) => id));
  const known = new Set(steps.map(({ id }) => id));

  steps.forEach((step, at) => {
    const here: Path = ["steps", at];
    const parameterAt = (name: string, path: Path): Parameter | undefined => {
      const found = declared.get(name);
      if (!found) add(`there is no parameter ${name}`, ...path);
      return found;
    };
    const pointerAt = (text: string, path: Path, inItem: boolean) => {
      const [root = "", name] = pointerPath(text);
      if (root === "item") {
        if (!inItem) add("/item is there only inside of each", ...path);
      } else if (name === undefined) add(`expected a name behind /${root}`, ...path);
      else if (root === "parameters") parameterAt(name, path);
      else if (!known.has(name)) add(`there is no step ${name}`, ...path);
      else if (!before.get(step.id)?.has(name)) add(`${name} does not run before this step`, ...path);
    };
    const bindingAt = (bound: Binding, path: Path, inItem = false) => {
      if ("pointer" in bound) pointerAt(bound.pointer, [...path, "pointer"], inItem);
      if ("parameter" in bound && parameterAt(bound.parameter, [...path, "parameter"])?.type === "json") {
        add(`${bound.parameter} is json: bind a part of it by a pointer`, ...path, "parameter");
      }
    };
    const expressionAt = (given: Expression, path: Path, inItem = false): void => {
      if ("object" in given) {
        for (const [name, inner] of Object.entries(given.object)) {
          expressionAt(inner, [...path, "object", name], inItem);
        }
      } else if ("array" in given) {
        given.array.forEach((inner, nth) => expressionAt(inner, [...path, "array", nth], inItem));
      } else if ("each" in given) {
        pointerAt(given.each, [...path, "each"], inItem);
        expressionAt(given.as, [...path, "as"], true);
      } else if ("pointer" in given) pointerAt(given.pointer, [...path, "pointer"], inItem);
      else if ("parameter" in given) parameterAt(given.parameter, [...path, "parameter"]);
    };
    const conditionAt = (given: Condition, path: Path): void => {
      if ("all" in given) given.all.forEach((inner, nth) => conditionAt(inner, [...path, "all", nth]));
      else if ("any" in given) given.any.forEach((inner, nth) => conditionAt(inner, [...path, "any", nth]));
      else if ("not" in given) conditionAt(given.not, [...path, "not"]);
      else {
        bindingAt(given.left, [...path, "left"]);
        if ("right" in given) bindingAt(given.right, [...path, "right"]);
        for (const message of comparisonProblems(given, declared)) add(message, ...path);
      }
    };
    const boundAt = (names: Set<string>, bound: Record<string, Binding> = {}) => {
      for (const name of names) {
        if (!Object.hasOwn(bound, name)) add(`${name} is not bound`, ...here, "parameters");
      }
      for (const [name, value] of Object.entries(bound)) {
        if (!names.has(name)) add(`${name} is bound and not used`, ...here, "parameters", name);
        bindingAt(value, [...here, "parameters", name]);
      }
    };
    checkStep(step);

    function checkStep(step: Step) {
      switch (step.type) {
        case "sql": {
          const { names, problems } = readSql(step.statement);
          for (const problem of problems) add(problem, ...here, "statement");
          boundAt(names, step.parameters);
          break;
        }
        case "http": {
          const { names, problems } = readUrlTemplate(step.url);
          for (const problem of problems) add(problem, ...here, "url");
          boundAt(names, step.parameters);
          if (step.body && step.method === "GET") add("GET has no body", ...here, "body");
          if (step.body) expressionAt(step.body, [...here, "body"]);
          break;
        }
        case "transform":
          expressionAt(step.output, [...here, "output"]);
          break;
        case "branch":
          step.cases.forEach(({ when }, nth) => conditionAt(when, [...here, "cases", nth, "when"]));
          break;
        case "respond":
          if (step.body) expressionAt(step.body, [...here, "body"]);
      }
    }
  });
  return issues;
}

function problemsOf(parameter: Parameter, trigger: "http" | "schedule"): [string, ...PropertyKey[]][] {
  const { type, in: place, required, minimum, maximum, max_length } = parameter;
  const problems: [string, ...PropertyKey[]][] = [];
  if (trigger === "http" && !place) problems.push(["expected path, query or body", "in"]);
  if (trigger === "schedule" && place) problems.push(["a schedule has no request", "in"]);
  if (trigger === "schedule" && parameter.default === undefined) {
    problems.push(["a schedule needs a default", "default"]);
  }
  if (type === "json" && place !== "body" && trigger === "http") {
    problems.push(["json comes in a body", "type"]);
  }
  if (place === "path" && required === false) {
    problems.push(["what stands in the path is required", "required"]);
  }
  if (parameter.default !== undefined && required) {
    problems.push(["a required parameter needs no default", "default"]);
  }
  if (parameter.default !== undefined && parameter.default !== null && !fitsType(type, parameter.default)) {
    problems.push([`not of type ${type}`, "default"]);
  }
  parameter.enum?.forEach((value, at) => {
    if (!fitsType(type, value)) problems.push([`not of type ${type}`, "enum", at]);
  });
  const isNumber = type === "integer" || type === "number";
  if (minimum !== undefined && !isNumber) problems.push(["only numbers have a minimum", "minimum"]);
  if (maximum !== undefined && !isNumber) problems.push(["only numbers have a maximum", "maximum"]);
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    problems.push(["below the minimum", "maximum"]);
  }
  if (max_length !== undefined && type !== "string") problems.push(["only text has a length", "max_length"]);
  return problems;
}

function comparisonProblems(
  given: Extract<Condition, { is: string }>,
  declared: ReadonlyMap<string, Parameter>,
): string[] {
  const typeOf = (bound: Binding) => "parameter" in bound ? declared.get(bound.parameter)?.type : undefined;
  const left = typeOf(given.left);
  const problems: string[] = [];
  if (!left || left === "json") return problems;
  if (/^(less|greater)/.test(given.is) && !isOrdered(left)) problems.push(`${left} has no order`);
  const constants = "values" in given
    ? given.values
    : "right" in given && "value" in given.right
    ? [given.right.value]
    : [];
  if (constants.some((value) => value !== null && !fitsType(left, value))) {
    problems.push(`compared with what is not of type ${left}`);
  }
  return problems;
}
