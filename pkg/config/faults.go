package config

import (
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a variable.
type Fault struct {
	Variable string // the variable's name
	Problem  string // what is wrong, for people
	Value    string // the offending value; empty: the variable is not set
}

// longestValue is the longest offending value, in bytes, that is quoted whole.
const longestValue = 200

func (f Fault) Error() string {
	if f.Value == "" {
		return f.Variable + ": " + f.Problem
	}
	value := f.Value
	if len(value) > longestValue {
		value = value[:longestValue] + "…"
	}
	return f.Variable + ": " + f.Problem + ", got " + strconv.Quote(value)
}

// Faults are all the faults of a configuration, at least one.
type Faults []Fault

func (f Faults) Error() string {
	texts := make([]string, len(f))
	for i, fault := range f {
		texts[i] = fault.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns each [Fault] as an error.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fault
	}
	return errs
}
