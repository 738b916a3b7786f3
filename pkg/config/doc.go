// Package config turns environment variables into a [Config] whose values are parsed and validated.
//
// Config is the only place that defines variables: a field with an env tag is a variable, and its other tags document
// it. [Variables] is made from them, and --help and the README show it. To add a variable, add a field, and a rule to
// validate if it has one.
//
// # Guarantees
//
//   - All errors of a configuration are returned together, at most one per variable, in the order of the variables.
//     Each contains the name of the variable, the invalid value, and what is wrong with it.
//   - An invalid value is never replaced by a default.
//   - Values are trimmed. An empty value is treated as unset.
//   - A variable that is ignored (such as DURATION when COUNT is set) must still parse. Its range is not checked, and a
//     warning says that it is ignored.
//   - [Parse] depends on its argument only.
package config
