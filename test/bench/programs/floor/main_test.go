package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

func TestTheTokenIsFoundInTheBeginningOfAList(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"", "eyJ2IjoibWV0YS5rOHMuaW8vdjEi"} {
		list := &corev1.PodList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"},
			ListMeta: metav1.ListMeta{ResourceVersion: "12", Continue: token},
			Items:    make([]corev1.Pod, 100),
		}
		body, err := runtime.Encode(protobuf.NewSerializer(scheme, scheme), list)
		if err != nil {
			t.Fatal(err)
		}
		for claim, head := range map[string][]byte{"whole": body, "cut off": body[:100]} {
			if got := continueToken(head); got != token {
				t.Errorf("in a %s list the token is %q, want %q", claim, got, token)
			}
		}
	}
	if got := continueToken([]byte("{")); got != "" {
		t.Errorf("something else holds the token %q", got)
	}
}
