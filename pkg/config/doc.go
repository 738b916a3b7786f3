// Package config turns environment variables into a [Config]: every value parsed, checked and given its type.
//
// # Variables
//
// [Variables] is the reference, in one place: the usage text and the README print it. Seven of the variables are a
// contract with manifests that exist (HASH, INTERVAL, COUNT, MAX_DURATION, DURATION, CRASH_LIMIT, DEBUG): their names
// and meanings do not change.
//
// # Promises
//
//   - All faults are reported together, as [Faults], each with its variable, what is wrong and the offending value.
//   - A malformed value is never replaced by a default.
//   - An empty value is an unset one, and values are trimmed.
//   - A variable that is ignored (DURATION beside COUNT, say) must still parse, and a warning says that it is ignored.
//   - Parsing is pure: what is not in the environment that [Parse] is given does not count.
package config
