import postgres from "postgres";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import type { Benchmark } from "./bench.ts";
import { sideBySide } from "./side-by-side.ts";

const INSERTS = [
  { name: "bulk", figure: "audited_vs_plain", rows: 10_000, rounds: 15 },
  { name: "one at a time", figure: "audited_vs_plain_single", rows: 1, rounds: 500 },
];

const benchmark: Benchmark = {
  about:
    "what the audit log costs: 10,000 applications inserted by one statement, and one at a time, " +
    "with the audit triggers and without them",

  async run(report) {
    await withThrowawayDatabase(async (server) => {
      const sql = postgres(server.url("supabase_admin"), { max: 1, onnotice() {} });
      const [organization] = await sql<{ id: string }[]>`
        insert into public.organizations (name, slug) values ('Bench', 'bench-audit') returning id`;
      const insert = (rows: number) => sql`
        insert into public.applications (organization_id, name, slug)
        select ${organization?.id ?? ""}, 'Application ' || n, 'a-' || gen_random_uuid()
        from generate_series(1, ${rows}::int) as n`;

      let audited = true;
      // Switched in the turns that warm up, which are not counted.
      const auditing = async (wanted: boolean) => {
        if (audited === wanted) return;
        audited = wanted;
        for (const event of ["insert", "update", "delete"]) {
          const verb = wanted ? "enable" : "disable";
          await sql.unsafe(`alter table public.applications ${verb} trigger audit_${event}`);
        }
      };

      for (const { name, figure, rows, rounds } of INSERTS) {
        report.step(`${name}: ${rounds} × ${rows}`);
        const times = await sideBySide(
          {
            plain: async () => {
              await auditing(false);
              await insert(rows);
            },
            audited: async () => {
              await auditing(true);
              await insert(rows);
            },
          },
          rounds,
        );
        report.row({
          insert: name,
          rows,
          "plain ms": times.plain.toFixed(2),
          "audited ms": times.audited.toFixed(2),
        });
        report.ratio(figure, times.audited / times.plain);
      }
      await sql.end();
    });
  },
};
export default benchmark;
