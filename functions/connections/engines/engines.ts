import type { Engine, EngineName } from "../engine.ts";
import { mssql } from "./mssql.ts";
import { mysql } from "./mysql.ts";
import { postgres } from "./postgres.ts";

/** Every engine there is. Their drivers are loaded when one is used. */
export const engines: Record<EngineName, Engine> = { mssql, postgres, mysql };
