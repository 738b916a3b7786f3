package config

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v10"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Parse reads a configuration from KEY=value pairs, such as os.Environ returns. If a name occurs twice, the last value
// is used.
//
// The error is a [k8s.io/apimachinery/pkg/util/errors.Aggregate] whose Errors are of type [*field.Error], one for each
// invalid variable. If there is an error, the Config has the zero value for each invalid variable, and is for reports
// only.
func Parse(environ []string) (Config, error) {
	given := trimmed(environ)
	c, err := parse(given)
	v := validation{given: given, errs: map[string]*field.Error{}}
	v.addParseErrors(err)
	v.validate(c)

	for f, value := range reflect.ValueOf(&c).Elem().Fields() {
		if v.failed(f.Tag.Get("env")) {
			value.SetZero()
		}
	}
	c.given = given
	if !v.failed("HASH", "SELECTOR", "HASH_LABEL") && !v.isGiven("WORKLOAD") {
		c.Selectors = selectors(c)
	}
	c.Warnings = append(ignored(c, v), misspelt(given)...)
	return c, v.list().ToAggregate()
}

// trimmed returns the environment as a map, without the variables whose value is blank.
func trimmed(environ []string) map[string]string {
	given := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if value = strings.TrimSpace(value); name != "" && value != "" {
			given[name] = value
		} else {
			delete(given, name)
		}
	}
	return given
}

// parse converts each value to its field's type.
func parse(given map[string]string) (Config, error) {
	var c Config
	err := env.ParseWithOptions(&c, env.Options{Environment: given, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[bool]():            parser(parseBool),
		reflect.TypeFor[int64]():           parser(parseNumber),
		reflect.TypeFor[time.Duration]():   parser(parseTime),
		reflect.TypeFor[[]string]():        parser(parseList),
		reflect.TypeFor[[]int32]():         parser(parseNumbers),
		reflect.TypeFor[labels.Selector](): parser(parseSelector),
		reflect.TypeFor[Workload]():        parser(parseWorkload),
	}})
	return c, err
}

func parser[T any](parse func(string) (T, error)) env.ParserFunc {
	return func(value string) (any, error) { return parse(value) }
}

// parseBool accepts any value, as DEBUG does. REQUIRE_READY is stricter, see validate.
func parseBool(value string) (bool, error) { return !isOff(value), nil }

func isOn(value string) bool {
	return slices.Contains([]string{"true", "1", "yes", "on"}, strings.ToLower(value))
}

func isOff(value string) bool {
	return slices.Contains([]string{"false", "0", "no", "off"}, strings.ToLower(value))
}

func parseNumber(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, errors.New("must be a whole number less than 2^63")
	}
	return n, nil
}

// parseTime accepts a whole number of seconds or a Go duration.
func parseTime(value string) (time.Duration, error) {
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, errors.New("must be a whole number of seconds (5) or a duration (5s, 1m30s, 500ms), at most 7 days")
	}
	return d, nil
}

// parseList splits at commas and drops empty elements, so that a trailing comma is accepted.
func parseList(value string) ([]string, error) {
	var list []string
	for element := range strings.SplitSeq(value, ",") {
		if element = strings.TrimSpace(element); element != "" {
			list = append(list, element)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("must be a comma-separated list")
	}
	return list, nil
}

func parseNumbers(value string) ([]int32, error) {
	list, err := parseList(value)
	if err != nil {
		return nil, err
	}
	numbers := make([]int32, len(list))
	for i, element := range list {
		n, err := strconv.ParseInt(element, 10, 32)
		if err != nil {
			return nil, errors.New("must be comma-separated whole numbers")
		}
		numbers[i] = int32(n)
	}
	return numbers, nil
}

func parseSelector(value string) (labels.Selector, error) {
	selector, err := labels.Parse(value, field.WithPath(field.NewPath("label")))
	if err != nil {
		return nil, errors.New("must be a label selector, such as app=web,tier!=cache: " + cut(err.Error(), 500))
	}
	return selector, nil
}
