package world

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestPodsDifferAsRealOnesDo(t *testing.T) {
	set := ReplicaSet{Namespace: "shop", Hash: "7f5b9c6d48", Pods: 5000}
	names, addresses, instances, sandboxes, placed := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range set.Pods {
		pod := set.traits(i)
		if faults := validation.IsDNS1123Subdomain(pod.name); len(faults) > 0 {
			t.Fatalf("%s: %v", pod.name, faults)
		}
		names[pod.name], addresses[pod.podIP], instances[pod.instance], sandboxes[pod.sandbox], placed[pod.node] = true, true, true, true, true
	}
	if len(names) != set.Pods || len(instances) != set.Pods || len(sandboxes) != set.Pods {
		t.Errorf("%d names, %d instances, %d sandboxes of %d pods", len(names), len(instances), len(sandboxes), set.Pods)
	}
	if len(addresses) < set.Pods*9/10 || len(placed) != nodes {
		t.Errorf("%d addresses on %d nodes", len(addresses), len(placed))
	}
}

func TestTheTemplateIsFilledIn(t *testing.T) {
	set := ReplicaSet{Namespace: "shop", Hash: "7f5b9c6d48"}
	traits := set.traits(0)
	pod := newPod(set, traits)
	for got, want := range map[string]string{
		pod.Name: traits.name, pod.Namespace: "shop", pod.GenerateName: "checkout-7f5b9c6d48-", pod.Labels[HashLabel]: "7f5b9c6d48",
		pod.OwnerReferences[0].Name: "checkout-7f5b9c6d48", pod.Spec.NodeName: traits.node,
		pod.Annotations["cni.projectcalico.org/podIP"]: traits.podIP + "/32", pod.Annotations["cni.projectcalico.org/containerID"]: traits.sandbox,
		pod.Spec.Containers[1].Env[1].Value: traits.instance,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAPodIsFoundAgain(t *testing.T) {
	set := ReplicaSet{Namespace: "shop", Hash: "7f5b9c6d48"}
	first, again := newPod(set, set.traits(3)), newPod(set, set.traits(3))
	if first.Name != again.Name || first.Spec.NodeName != again.Spec.NodeName {
		t.Errorf("pod 3 is %s on %s, then %s on %s", first.Name, first.Spec.NodeName, again.Name, again.Spec.NodeName)
	}
	if other := (ReplicaSet{Namespace: "shop", Hash: "5d8f7c9b64"}).traits(3); other.podIP == set.traits(3).podIP && other.node == set.traits(3).node {
		t.Error("pods of two ReplicaSets are alike")
	}
}

func TestACrashIsARestartWithATermination(t *testing.T) {
	set := ReplicaSet{Namespace: "shop", Hash: "7f5b9c6d48"}
	pod := set.traits(0)
	for crashes := range int32(3) {
		status := runningStatus(newPod(set, pod), pod, crashes).ContainerStatuses[0]
		if status.RestartCount != crashes || (status.LastTerminationState.Terminated != nil) != (crashes > 0) || status.State.Running == nil {
			t.Errorf("after %d crashes: %+v", crashes, status)
		}
	}
}
