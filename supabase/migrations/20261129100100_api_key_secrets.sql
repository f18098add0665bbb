-- nk_live_ or nk_test_, 43 digits of base 62 (256 random bits), 6 digits of checksum: a typo is known for one without a
-- look at the database, and scanners know a secret when they see one. docs/api-keys.md gives the pattern.
set local lock_timeout = '5s';

-- CRC-32 as zlib computes it (PostgreSQL has one from version 18 on).
create function private.crc32(p_bytes bytea) returns bigint
language plpgsql immutable
set search_path = ''
as $$
declare
  crc bigint := x'ffffffff'::bigint;
begin
  for place in 0..length(p_bytes) - 1 loop
    crc := crc # get_byte(p_bytes, place);
    for bit in 1..8 loop
      crc := (crc >> 1) # (case when crc & 1 = 1 then x'edb88320'::bigint else 0 end);
    end loop;
  end loop;
  return crc # x'ffffffff'::bigint;
end
$$;

create function private.base62(p_number numeric, p_digits integer) returns text
language plpgsql immutable
set search_path = ''
as $$
declare
  digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  remaining numeric := p_number;
  encoded text := '';
begin
  for place in 1..p_digits loop
    encoded := substr(digits, mod(remaining, 62)::integer + 1, 1) || encoded;
    remaining := div(remaining, 62);
  end loop;
  return encoded;
end
$$;

create function private.new_api_key(p_environment text) returns text
language plpgsql volatile strict
set search_path = ''
as $$
declare
  -- 366 bits of the strong generator behind gen_random_uuid, condensed to 256.
  random constant bytea := sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
  );
  number numeric := 0;
  secret text;
begin
  for place in 0..31 loop
    number := number * 256 + get_byte(random, place);
  end loop;
  secret := 'nk_' || p_environment || '_' || private.base62(number, 43);
  return secret || private.base62(private.crc32(convert_to(secret, 'UTF8')), 6);
end
$$;
