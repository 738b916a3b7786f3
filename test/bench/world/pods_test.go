package world

import "testing"

func TestPodsDifferAsRealOnesDo(t *testing.T) {
	const pods = 2000
	addresses, sandboxes, instances, containers, placed := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for range pods {
		pod := newPod()
		addresses[pod.Status.PodIP] = true
		sandboxes[pod.Annotations["cni.projectcalico.org/containerID"]] = true
		instances[pod.Spec.Containers[1].Env[1].Value] = true
		containers[pod.Status.ContainerStatuses[0].ContainerID] = true
		placed[pod.Spec.NodeName] = true
	}
	if len(sandboxes) != pods || len(instances) != pods || len(containers) != pods {
		t.Errorf("%d sandboxes, %d instances, %d container IDs of %d pods", len(sandboxes), len(instances), len(containers), pods)
	}
	if len(addresses) < pods*9/10 || len(placed) < nodes/2 {
		t.Errorf("%d addresses on %d nodes", len(addresses), len(placed))
	}
	if got := newPod().Labels["rollouts-pod-template-hash"]; got != Hash {
		t.Errorf("the gates select %s, the pods have %s", Hash, got)
	}
}
