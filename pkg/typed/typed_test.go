package typed_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/typed"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// The checker's types have JSON names of their own. Decoded by them, recorded pods are what Pod makes of the typed ones.
func TestRecordedPodsAreTheSameByEitherWay(t *testing.T) {
	files, _ := filepath.Glob("../checker/testdata/traces/*.jsonl.gz")
	pods := 0
	for _, name := range files {
		for _, event := range trace(t, name) {
			var want checker.Pod
			if text, err := json.Marshal(event.Pod); err != nil || json.Unmarshal(text, &want) != nil {
				t.Fatalf("%s: %s", name, text)
			}
			if got := typed.Pod(&event.Pod); !equality.Semantic.DeepEqual(got, &want) {
				t.Fatalf("%s:\n got %+v\nwant %+v", name, got, want)
			}
			pods++
		}
	}
	if pods < 100 {
		t.Fatalf("only %d recorded pods", pods)
	}
}

// The recordings may lack what is rare.
func TestEachFieldIsOneOfTheAPI(t *testing.T) {
	compared := 0
	var compare func(path string, ours, theirs reflect.Type)
	compare = func(path string, ours, theirs reflect.Type) {
		for ours.Kind() == reflect.Pointer || ours.Kind() == reflect.Slice {
			ours = ours.Elem()
		}
		for theirs.Kind() == reflect.Pointer || theirs.Kind() == reflect.Slice {
			theirs = theirs.Elem()
		}
		if ours.Kind() != theirs.Kind() {
			t.Errorf("%s is a %s; the API's is a %s", path, ours.Kind(), theirs.Kind())
			return
		}
		if ours.Kind() != reflect.Struct || ours == theirs {
			return
		}
		for i := range ours.NumField() {
			field := ours.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			found := false
			for j := range theirs.NumField() {
				other, _, _ := strings.Cut(theirs.Field(j).Tag.Get("json"), ",")
				if other != name || (other == "" && field.Type != theirs.Field(j).Type) {
					continue
				}
				found = true
				compared++
				compare(path+"."+name, field.Type, theirs.Field(j).Type)
			}
			if !found {
				t.Errorf("%s.%s (%s) is no field of the API", path, name, field.Name)
			}
		}
	}
	compare("podList", reflect.TypeFor[checker.PodList](), reflect.TypeFor[corev1.PodList]())
	if compared < 30 {
		t.Errorf("only %d fields were compared", compared)
	}
}

type list struct {
	pods *corev1.PodList
	err  error
}

func (l list) List(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
	return l.pods, l.err
}

func TestAListAndAnErrorComeThrough(t *testing.T) {
	away := errors.New("away")
	if got, err := typed.Pods(list{err: away}).List(t.Context(), metav1.ListOptions{}); got != nil || err != away {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := typed.Pods(list{}).List(t.Context(), metav1.ListOptions{}); got != nil || err != nil {
		t.Errorf("no list: got %v, %v", got, err)
	}
	pods := &corev1.PodList{
		ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: "next"},
		Items:    []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "1"}}},
	}
	got, err := typed.Pods(list{pods: pods}).List(t.Context(), metav1.ListOptions{})
	if err != nil || got.ResourceVersion != "7" || got.Continue != "next" || len(got.Items) != 1 || got.Items[0].UID != "1" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// trace returns a recording.
func trace(t *testing.T, name string) simcluster.Trace {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	trace, err := simcluster.LoadTrace(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return trace
}
