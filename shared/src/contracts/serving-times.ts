/**
 * The longest that a load balancer before an inference endpoint waits without a byte: an answer that is not streamed is silent until it is
 * whole. Between two requests it may hold a connection for as long, and must be the one that closes it: an endpoint that closed it first
 * would lose the request that is on its way, so it waits longer.
 */
export const LONGEST_SILENCE_SECONDS = 300;
