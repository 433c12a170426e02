import fc from "fast-check";

// Laws are tried on the same cases each time, so that chance has no part in which branches they run.
fc.configureGlobal({ seed: 1 });
