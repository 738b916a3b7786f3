// Package kube reads pods from a Kubernetes API server, in a cluster or from a laptop, and believes only what is real.
//
// It is lean on purpose: client-go's credentials and transport, and a decoder of its own for the few fields of a pod that
// decide (protobuf.go). The typed clients would link every API group, hide retries and their time, follow redirects with
// the token, and decode {} to an empty list.
//
// # Promises
//
//   - A list is a 200 with a whole PodList that has a resourceVersion. All else is an error.
//   - One call is one request. There are no retries and no redirects, and a context bounds the call, its body included.
//     (net/http asks once more where a kept connection turns out to be closed before a byte of the answer has come.)
//   - The service account's token is read anew for each request, as the kubelet rotates it.
//   - A CA file that cannot be used is an error, never a reason to use the system's roots.
//   - No request is made without a namespace: that would list the pods of the whole cluster.
//
// What a credential plugin of a kubeconfig (exec) prints on its standard error goes to the process's own, as with
// kubectl: client-go offers no way between, and some plugins ask people something there.
//
// Connections are HTTP/1.1: a request whose time is up then ends its connection, where HTTP/2 would go on using a dead
// one. Proxies from the environment are honoured.
package kube
