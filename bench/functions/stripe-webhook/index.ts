export { default } from "../../../functions/stripe-webhook/index.ts";
