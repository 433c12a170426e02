/** OpenAI's: answers to one request, `n` of every prompt together. */
export const MAX_ANSWERS = 128;
/** A name of a base model or an adapter has at most 200 characters. */
export const MAX_MODEL_NAME = 256;
/** OpenAI takes 4. */
export const MAX_STOPS = 16;
/** Every character of an answer is compared with every stop text. */
export const MAX_STOP_LENGTH = 256;
/** OpenAI's for chats; vLLM's for both. */
export const MAX_TOP_LOG_PROBS = 20;
/** A conversation of more turns than a person has; templates run over all of them. */
export const MAX_MESSAGES = 4096;
export const MAX_PARTS = 1024;
export const MAX_PROMPTS = 64;
/** More than the longest context there is. */
export const MAX_TOKENS = 16_777_216;
/** Of fields that only travel along. */
export const MAX_NEUTRAL_TEXT = 4096;
