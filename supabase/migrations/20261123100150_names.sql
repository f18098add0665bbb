set local lock_timeout = '5s';

-- What people call themselves and their things, and read beside other people's: no markup, nothing that
-- reorders or hides text (bidirectional controls, zero width), and something to see.
create function private.is_name(p_name text) returns boolean
language sql immutable parallel safe
set search_path = ''
as $$
  select p_name = btrim(p_name)
    and char_length(p_name) between 1 and 100
    and p_name !~ '[[:cntrl:]<>\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]'
    and p_name ~ '[^[:space:]\u00a0\u00ad\u115f\u1160\u200c\u200d\u2800\u3164\uffa0]'
$$;
comment on function private.is_name is 'Whether the text can be the name of a person or a thing.';

-- A check constraint is evaluated by whoever writes the row.
grant execute on function private.is_name to authenticated, service_role;
