/** What to do when a row breaks a rule. The database names its constraints by these codes. */
export const constraintMessages = {
  already_invited: "This person is invited already. Send the invitation again instead.",
  already_member: "This person is a member already. Change their role instead.",
  already_permitted: "The role has this permission already.",
  application_slug_taken: "Another application of this organization has this slug. Choose another.",
  invalid_amount: "An amount is a whole number of the currency's smallest unit, not below zero.",
  connection_name_taken: "Another connection of this organization has this name. Choose another.",
  invalid_api_key_name: "A name has 1 to 100 visible characters, without < and >.",
  invalid_application_description: "A description has at most 2000 characters.",
  invalid_application_name: "A name has 1 to 100 visible characters, without < and >.",
  invalid_application_slug: "A slug has 1 to 48 letters a-z, digits and single hyphens between them.",
  invalid_avatar_url:
    "An avatar is an https:// address of at most 2048 characters, without spaces and quotes.",
  invalid_currency: "A currency is three small letters, such as eur.",
  invalid_ca_certificate: "A CA certificate is PEM of at most 32 KiB, without a private key.",
  invalid_connection_database: "A database's name has 1 to 128 characters.",
  invalid_connection_host: "A host is a name such as db.example.com, without a port, or an IP address.",
  invalid_connection_name: "A name has 1 to 100 visible characters, without < and >.",
  invalid_connection_options: "Options are a JSON object of at most 4 KiB.",
  invalid_connection_port: "A port is a number from 1 to 65535.",
  invalid_connection_username: "A user name has 1 to 128 characters.",
  invalid_email: "This is not an e-mail address.",
  invalid_environments:
    "Environments are named settings: NAMES_LIKE_THIS with texts, numbers or booleans, of at most 16 KiB.",
  invalid_key_environment: "An API key is for live or for test.",
  invalid_organization_name: "A name has 1 to 100 visible characters, without < and >.",
  invalid_origins:
    "At most 50 origins, each as a browser sends it: https://example.com, without a path or the usual port.",
  invalid_permission_key: "A permission is named like workflows.read.",
  invalid_role_description: "A description has at most 500 characters.",
  invalid_role_key: "A role's key is custom: and then up to 41 letters a-z, digits, hyphens and underscores.",
  invalid_role_name: "A name has 1 to 100 visible characters, without < and >.",
  invalid_scopes: "An API key has 1 to 100 scopes, each a permission.",
  invalid_seat_limit: "A limit of seats is at least 1, or none.",
  invalid_settings: "Settings are a JSON object of at most 16 KiB.",
  invalid_slug: "A slug has 3 to 48 letters a-z, digits and single hyphens between them.",
  invalid_user_name: "A name has 1 to 100 visible characters, without < and >.",
  missing_reason: "Say in up to 500 characters why the organization is granted something else than its plan.",
  offer_to_oneself: "Ownership is offered to somebody else.",
  role_in_use: "Members or invitations have this role. Say which role they get instead.",
  role_key_taken: "This organization has a role with this key. Choose another.",
  slug_reserved: "This slug is reserved. Choose another.",
  slug_taken: "This slug is taken. Choose another.",
  strict_tls_is_for_mssql: "Only SQL Server has the TLS mode strict. Choose verify-full.",
  unknown_application: "There is no such application in this organization.",
  too_many_cidrs: "An API key has at most 50 address ranges.",
  too_many_workflows: "An API key names at most 100 workflows.",
  unknown_permission: "There is no such permission. The table permissions lists them.",
  unknown_role: "There is no such role in this organization, or members still have it.",
  unknown_user: "There is no such user.",
} as const satisfies Record<string, string>;

/** A rule of the database, by its code. */
export type ConstraintCode = keyof typeof constraintMessages;

const integrityViolation = /^23\d{3}$/;
const named = /constraint "([a-z_]+)"/;

/** The rule that PostgreSQL says was broken, if it is one that clients are told of. */
export function brokenConstraint(sqlstate: unknown, message: string): ConstraintCode | undefined {
  if (typeof sqlstate !== "string" || !integrityViolation.test(sqlstate)) return undefined;
  const name = named.exec(message)?.[1];
  return name !== undefined && Object.hasOwn(constraintMessages, name) ? (name as ConstraintCode) : undefined;
}
