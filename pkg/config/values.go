package config

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v10"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// The types of values, one for each rule of parsing: env looks a parser up by type.
type (
	hashValue     string
	namespace     string
	labelKey      string
	containerName string
	baseline      string
	logFormat     string
	looseSwitch   bool // on for any value but a no
	strictSwitch  bool // on, off, or a fault
)

var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[time.Duration]():       parser(parseDuration),
	reflect.TypeFor[int64]():               parser(parseNumber),
	reflect.TypeFor[hashValue]():           parser(parseHash),
	reflect.TypeFor[namespace]():           parser(parseNamespace),
	reflect.TypeFor[labelKey]():            parser(parseLabelKey),
	reflect.TypeFor[[]containerName]():     parser(parseContainerNames),
	reflect.TypeFor[baseline]():            parser(oneOf[baseline](BaselineAbsolute, BaselineStart)),
	reflect.TypeFor[logFormat]():           parser(oneOf[logFormat](LogText, LogJSON)),
	reflect.TypeFor[looseSwitch]():         parser(parseLooseSwitch),
	reflect.TypeFor[strictSwitch]():        parser(parseStrictSwitch),
	reflect.TypeFor[labels.Requirements](): parser(parseSelector),
}

func parser[T any](parse func(string) (T, error)) env.ParserFunc {
	return func(value string) (any, error) { return parse(value) }
}

// parseDuration reads a whole number of seconds, or a Go duration.
func parseDuration(value string) (time.Duration, error) {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		d := time.Duration(seconds) * time.Second
		if d/time.Second == time.Duration(seconds) {
			return d, nil
		}
	} else if d, err := time.ParseDuration(value); err == nil {
		return d, nil
	}
	return 0, errors.New("must be a whole number of seconds (5) or a duration (5s, 1m30s, 500ms) of at most 292 years")
}

func parseNumber(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("must be a whole number that fits in 64 bits")
	}
	if err != nil {
		return 0, errors.New("must be a whole number")
	}
	return n, nil
}

func parseHash(value string) (hashValue, error) {
	if strings.ContainsAny(value, "{}<>$") {
		return "", errors.New("is a placeholder that nobody filled in: check the name of the argument in the AnalysisTemplate or manifest")
	}
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return "", errors.New("is no pod-template-hash, such as 6fd8d747: " + strings.Join(problems, "; "))
	}
	return hashValue(value), nil
}

func parseNamespace(value string) (namespace, error) {
	return namespace(value), ValidateNamespace(value)
}

func parseLabelKey(value string) (labelKey, error) {
	if problems := validation.IsQualifiedName(value); len(problems) > 0 {
		return "", errors.New("must be a label's key: " + strings.Join(problems, "; "))
	}
	return labelKey(value), nil
}

func parseSelector(value string) (labels.Requirements, error) {
	selector, err := labels.Parse(value)
	if err != nil {
		return nil, errors.New("must be a label selector, such as app=web,tier!=cache: " + err.Error())
	}
	requirements, selectable := selector.Requirements()
	if !selectable || len(requirements) == 0 {
		return nil, errors.New("must not be empty: it would match every pod of the namespace")
	}
	return requirements, nil
}

func parseContainerNames(value string) ([]containerName, error) {
	var names []containerName
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue // a trailing comma does no harm
		}
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return nil, errors.New(strconv.Quote(name) + " is no container's name: " + strings.Join(problems, "; "))
		}
		names = append(names, containerName(name))
	}
	if len(names) == 0 {
		return nil, errors.New("must be names of containers, separated by commas")
	}
	return names, nil
}

func oneOf[T ~string](a, b T) func(string) (T, error) {
	return func(value string) (T, error) {
		if T(value) != a && T(value) != b {
			return "", errors.New("must be " + string(a) + " or " + string(b))
		}
		return T(value), nil
	}
}

func isNo(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "false", "no", "off":
		return true
	}
	return false
}

func parseLooseSwitch(value string) (looseSwitch, error) {
	return looseSwitch(!isNo(value)), nil
}

func parseStrictSwitch(value string) (strictSwitch, error) {
	switch strings.ToLower(value) {
	case "1", "true", "yes", "on":
		return true, nil
	}
	if !isNo(value) {
		return false, errors.New("must be true, 1, yes, on or false, 0, no, off")
	}
	return false, nil
}
