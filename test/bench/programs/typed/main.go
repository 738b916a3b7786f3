// Command typed is a straightforward implementation of the gate: client-go's typed clientset, one list of all pods per
// check, and a map of restartCounts. It is a rival in measurements and handles no errors.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	code, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "typed:", err)
		os.Exit(2)
	}
	os.Exit(code)
}

func run(ctx context.Context) (int, error) {
	interval, err := time.ParseDuration(os.Getenv("INTERVAL"))
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(os.Getenv("COUNT"))
	if err != nil {
		return 0, err
	}
	limit, err := strconv.Atoi(os.Getenv("CRASH_LIMIT"))
	if err != nil {
		return 0, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return 0, err
	}
	// No gate reaches the client's own limit of five requests a second, but a run
	// of many checks without pause does.
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 0, err
	}

	restarts := map[string]int32{}
	crashes, pods := 0, 0
	ticker := time.NewTicker(interval)
	for check := 1; ; check++ {
		list, err := client.CoreV1().Pods(os.Getenv("NAMESPACE")).List(ctx, metav1.ListOptions{LabelSelector: "rollouts-pod-template-hash=" + os.Getenv("HASH")})
		if err != nil {
			return 0, err
		}
		pods = len(list.Items)
		for _, pod := range list.Items {
			for _, status := range pod.Status.ContainerStatuses {
				restarts[string(pod.UID)+"/"+status.Name] = status.RestartCount
			}
		}
		crashes = 0
		for _, n := range restarts {
			crashes += int(n)
		}
		if crashes >= limit || check == count {
			break
		}
		<-ticker.C
	}
	fmt.Printf(`{"pods":%d,"Crashes":%d}`+"\n", pods, crashes)
	if crashes >= limit {
		return 1, nil
	}
	return 0, nil
}
