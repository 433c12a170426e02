import fc from "fast-check";

// A run of mutants repeats each law for each of them: always by the same cases, and not for long.
fc.configureGlobal({ seed: 1, interruptAfterTimeLimit: 500 });
