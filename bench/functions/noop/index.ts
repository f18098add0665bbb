/** Reads its request and does nothing: what any function costs. */
export default {
  async fetch(request: Request): Promise<Response> {
    await request.arrayBuffer();
    return Response.json({ received: true });
  },
};
