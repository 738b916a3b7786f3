// Package kube reads the pods of one namespace, their logs, and the current version of a workload from a Kubernetes API server.
//
// A [Cluster] is an API server with the credentials for it: those of the pod's service account, or those of a kubeconfig.
// A [Client] makes requests to it. [Client.List] streams a PodList: it calls a function with one *corev1.Pod at a
// time, so that memory does not grow with the number of pods. In protobuf, which current API servers send, only the
// fields in podMask are decoded; in JSON, all of them.
//
// A [Workload] is a Deployment, StatefulSet, DaemonSet or Rollout of Argo Rollouts. [Workload.Resolve] finds the [Version]
// that it is releasing, and [Workload.Superseded] says why it no longer releases that version. The rules are those of the
// controllers.
//
// # Guarantees
//
//   - A list succeeds only if the response is a complete PodList: status 200, kind PodList, apiVersion v1, a
//     resourceVersion, no continue token, and nothing after its end. Every other response is an error.
//   - Responses about workloads and their versions are accepted under the same conditions: a complete object or list of the
//     right kind, with a resourceVersion. Only a Status of the API server with code 404 means that a workload does not
//     exist. Each of these requests ends after 10 s, and each response has at most 8 MiB.
//   - A list is consistent: the request sets neither resourceVersion nor limit.
//   - One call makes one request, or two for a workload. Requests are not retried. They do not follow redirects, because the
//     token must not reach another host. (net/http repeats a request only if a kept-alive connection was closed before any
//     of the response arrived.)
//   - A call returns when its context ends, with the context's cause, even while a credential plugin or a file does not
//     respond. Callbacks run only while their call runs, in the caller's goroutine.
//   - One pod takes at most 8 MiB of a response, and a list has at most 200,000 pods.
//   - The token in a file, such as the service account's, is read again for each request, because the kubelet rotates it.
//   - A CA file that cannot be used is an error. The system's root certificates never replace it.
//   - No request is made without a namespace, because that would list the pods of all namespaces.
//
// An error for a status other than 200 wraps an apierrors.APIStatus. For 401 and 403, it names the permission that is needed.
//
// Connections use HTTP/1.1: when a request times out, its connection is closed. HTTP/2 would reuse a connection that no
// longer works. Responses are compressed with gzip if the server supports it. Proxies in the environment are used.
//
// A credential plugin of a kubeconfig (exec) writes to the standard error of this process, as it does with kubectl.
package kube
