package kube

import (
	"math/rand"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
)

// masked returns a pod with the fields that podMask selects, by their names in Go.
func masked(pod *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec: corev1.PodSpec{
			NodeName:       pod.Spec.NodeName,
			RestartPolicy:  pod.Spec.RestartPolicy,
			Containers:     maskedContainers(pod.Spec.Containers),
			InitContainers: maskedContainers(pod.Spec.InitContainers),
		},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message,
			Conditions:            maskedConditions(pod.Status.Conditions),
			ContainerStatuses:     maskedStatuses(pod.Status.ContainerStatuses),
			InitContainerStatuses: maskedStatuses(pod.Status.InitContainerStatuses),
		},
	}
}

func maskedContainers(containers []corev1.Container) (result []corev1.Container) {
	for _, c := range containers {
		result = append(result, corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy, RestartPolicyRules: c.RestartPolicyRules})
	}
	return result
}

func maskedConditions(conditions []corev1.PodCondition) (result []corev1.PodCondition) {
	for _, c := range conditions {
		result = append(result, corev1.PodCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message})
	}
	return result
}

func maskedStatuses(statuses []corev1.ContainerStatus) (result []corev1.ContainerStatus) {
	for _, s := range statuses {
		result = append(result, corev1.ContainerStatus{
			Name: s.Name, State: s.State, LastTerminationState: s.LastTerminationState, RestartCount: s.RestartCount, ContainerID: s.ContainerID,
		})
	}
	return result
}

func maskedPods(pods []corev1.Pod) (result []corev1.Pod) {
	for i := range pods {
		result = append(result, *masked(&pods[i]))
	}
	return result
}

// filledPods returns pods in which every field is set, to random values.
func filledPods(n int) *corev1.PodList {
	filler := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(1), library).NilChance(0).NumElements(1, 3).MaxDepth(100)
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: make([]corev1.Pod, n)}
	for i := range list.Items {
		filler.Fill(&list.Items[i])
		list.Items[i].UID += "u" // some values are empty
	}
	return list
}

func TestAPodHasTheFieldsOfTheMaskAsTheLibraryDecodesThem(t *testing.T) {
	for claim, pods := range map[string]*corev1.PodList{
		"pods with every field":        filledPods(20),
		"a large pod between others":   largePod(),
		"pods without anything inside": {ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{UID: "u"}}}},
	} {
		for _, media := range []string{mediaProtobuf, mediaJSON} {
			t.Run(claim+" in "+media, func(t *testing.T) { compareWithLibrary(t, encode(t, pods, media), media) })
		}
	}
}

// largePod returns a list whose second pod is larger than all buffers, and is being deleted.
func largePod() *corev1.PodList {
	list := samplePods()
	list.Items[1].Annotations = map[string]string{"note": strings.Repeat("x", 1<<20)}
	list.Items[1].Status.Message = strings.Repeat("y", 1<<20)
	list.Items[1].DeletionTimestamp = new(metav1.Unix(1, 0))
	return list
}

func TestTheMaskKeepsEncodingsThatAreNotMinimal(t *testing.T) {
	for claim, message := range map[string]string{
		"a tag and a length with leading zeros": "\x9a\x80\x00\x86\x80\x00" + "\x8a\x80\x00\x81\x00" + "x", // status {phase}
		"a length that gets shorter":            "\x1a\x85\x01" + "\x2a\x80\x01" + strings.Repeat("x", 128) + "\x0a\x00",
		"the same message twice":                "\x1a\x03\x0a\x01a" + "\x1a\x03\x1a\x01b",
	} {
		t.Run(claim, func(t *testing.T) {
			var want, got corev1.Pod
			if err := want.Unmarshal([]byte(message)); err != nil {
				t.Fatal(err)
			}
			if err := decodePod([]byte(message), &got); err != nil {
				t.Fatal(err)
			}
			if want := masked(&want); !equality.Semantic.DeepEqual(&got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}
