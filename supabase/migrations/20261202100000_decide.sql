-- A decision as functions ask for it: one statement that lets the counters go, and then waits for the disk.
set local lock_timeout = '5s';

-- It commits, so it can have neither a search_path of its own nor its owner's rights: all names are whole.
create procedure private.decide(
  p_key_hash bytea, p_scope text, p_metric text, p_cost bigint, p_context jsonb, inout decision json default null
)
language plpgsql
as $$
begin
  decision := pg_catalog.row_to_json(private.authorize_request(p_key_hash, p_scope, p_metric, p_cost, p_context));
  perform pg_catalog.set_config('synchronous_commit', 'off', true);
  commit;
  perform private.await_disk();
end
$$;
comment on procedure private.decide is
  'What functions/_shared/decisions.ts calls. It cannot be called within a transaction.';
