package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/vnd.kubernetes.protobuf"

	// maxPage is the largest page that is read, in bytes. One of 250 pods of 7 kB takes less than 2 MB.
	maxPage = 64 << 20
	// maxStatus is how much of the body of an error is read.
	maxStatus = 16 << 10
)

// PodLister lists the pods of one namespace. It is safe for concurrent use.
type PodLister struct {
	client    *http.Client
	url       string // of the namespace's pods
	namespace string
	userAgent string
}

// NewPodLister returns a lister of a namespace's pods. The user agent names the program to the API server's operators.
// It reads the files of the credentials, until ctx ends and at most for 10 s.
func NewPodLister(ctx context.Context, cluster Cluster, namespace, userAgent string) (*PodLister, error) {
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		// It becomes a part of the path, where "" or ".." would name the pods of the whole cluster.
		return nil, fmt.Errorf("list pods: %q is no namespace's name: %s", namespace, strings.Join(problems, "; "))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, findTimeout, fmt.Errorf("the files of the credentials cannot be read within %s", findTimeout))
	defer cancel()
	client, err := within(ctx, func() (*http.Client, error) { return newHTTPClient(cluster.config) })
	if err != nil {
		return nil, withoutPasswords(err)
	}
	base, _, err := rest.DefaultServerUrlFor(cluster.config)
	if err != nil {
		return nil, withoutPasswords(fmt.Errorf("use the API server's address: %w", err))
	}
	base.RawQuery, base.Fragment = "", "" // or the label selector would end up in what is there already
	return &PodLister{
		client:    client,
		url:       base.JoinPath("api/v1/namespaces", namespace, "pods").String(),
		namespace: namespace,
		userAgent: userAgent,
	}, nil
}

// List makes one request for one page. The error wraps an apierrors.APIStatus if the server answered with another
// status than 200. Of the options it uses LabelSelector, Limit and Continue.
func (l *PodLister) List(ctx context.Context, opts metav1.ListOptions) (*checker.PodList, error) {
	query := url.Values{}
	query.Set("labelSelector", opts.LabelSelector)
	if opts.Limit > 0 {
		query.Set("limit", strconv.FormatInt(opts.Limit, 10))
	}
	if opts.Continue != "" {
		query.Set("continue", opts.Continue)
	}
	response, err := l.get(ctx, l.url+"?"+query.Encode(), mediaProtobuf+","+mediaJSON)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()

	page := &pageReader{body: response.Body}
	list, err := readPodList(page, response.Header.Get("Content-Type"))
	if page.err != nil { // whatever else is wrong comes of it
		return nil, fmt.Errorf("read the list after %d bytes: %w", page.n, page.err)
	}
	return list, err
}

// pageReader reads a page, up to its limit.
type pageReader struct {
	body io.Reader
	n    int64 // bytes read
	err  error // why it could not be read on
}

func (r *pageReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(p)
	r.n += int64(n)
	if r.n > maxPage {
		err = fmt.Errorf("it is larger than %d MiB", maxPage>>20)
	}
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Log returns the last lines of a container's log, at most their last limit bytes: of the instance that runs or ran last,
// or of the one before it.
func (l *PodLister) Log(ctx context.Context, pod, container string, previous bool, lines, limit int64) ([]byte, error) {
	query := url.Values{}
	query.Set("container", container)
	query.Set("previous", strconv.FormatBool(previous))
	query.Set("tailLines", strconv.FormatInt(lines, 10))
	return within(ctx, func() ([]byte, error) {
		response, err := l.get(ctx, l.url+"/"+url.PathEscape(pod)+"/log?"+query.Encode(), "text/plain,*/*")
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		log, err := readTail(response.Body, limit)
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		return log, nil
	})
}

// readTail reads to the end and returns the last bytes, at most limit: the API's own limitBytes would cut off the end of
// the log, which is where a crash says what it died of.
func readTail(r io.Reader, limit int64) ([]byte, error) {
	var tail []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		tail = append(tail, chunk[:n]...)
		if surplus := int64(len(tail)) - limit; surplus > 0 {
			tail = append(tail[:0], tail[surplus:]...)
		}
		if err == io.EOF {
			return tail, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// get makes a request and returns the answer if its status is 200.
func (l *PodLister) get(ctx context.Context, address, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", l.userAgent)
	response, err := l.client.Do(request)
	if err != nil {
		// http.Client wraps errors in the whole URL, which says nothing that is not known.
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" && dial.Err != nil {
			// It would say the address again, and "connect" twice.
			err = dial.Err
			if call := (*os.SyscallError)(nil); errors.As(err, &call) {
				err = call.Err
			}
			return nil, fmt.Errorf("connect to %s: %w", request.URL.Host, err)
		}
		return nil, fmt.Errorf("ask %s: %w", request.URL.Host, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, l.explain(statusError(response), response)
	}
	return response, nil
}

// statusError turns an answer that is not 200 into an apierrors.StatusError of the answer's own code.
func statusError(response *http.Response) *apierrors.StatusError {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxStatus)) // what can be read of it is enough
	seconds := retryAfter(response.Header.Get("Retry-After"), time.Now())
	if status := decodeStatus(body, response.Header.Get("Content-Type")); status != nil {
		status.Code = int32(response.StatusCode)
		if seconds > 0 {
			if status.Details == nil {
				status.Details = &metav1.StatusDetails{}
			}
			status.Details.RetryAfterSeconds = int32(seconds)
		}
		return &apierrors.StatusError{ErrStatus: *status}
	}
	err := apierrors.NewGenericServerResponse(response.StatusCode, "list", schema.GroupResource{Resource: "pods"}, "", "", seconds, false)
	err.ErrStatus.Message = "the server gives no reason"
	if kind := mediaType(response.Header.Get("Content-Type")); kind != "" && len(body) > 0 {
		err.ErrStatus.Message = fmt.Sprintf("the server answers with %s: %q", kind, body[:min(len(body), 120)])
	}
	return err
}

// retryAfter returns the seconds that a Retry-After header asks for, in either of its forms (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) int {
	const most = 1<<31 - 1 // as metav1.StatusDetails holds them
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return int(min(seconds, most))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	seconds := math.Ceil(at.Sub(now).Seconds()) // never too early
	return int(min(max(seconds, 0), most))
}

// explain adds what people can do about an answer.
func (l *PodLister) explain(err *apierrors.StatusError, response *http.Response) error {
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("401 Unauthorized: the credentials are not accepted (expired, revoked, or of another cluster): %w; once they are, %s", err, l.neededRule(response))
	case code == http.StatusForbidden:
		return fmt.Errorf("403 Forbidden: %w; %s", err, l.neededRule(response))
	case code >= 300 && code < 400:
		location, _ := response.Location()
		if location == nil {
			location = &url.URL{}
		}
		return fmt.Errorf("redirects are refused, because the token must not travel: %d to host %q: %w", code, location.Host, err)
	}
	return fmt.Errorf("%d %s: %w", response.StatusCode, http.StatusText(response.StatusCode), err)
}

// neededRule names the permission that a request needs.
func (l *PodLister) neededRule(response *http.Response) string {
	verb, resource := "list", "pods"
	if response.Request != nil && response.Request.URL.Query().Has("tailLines") {
		verb, resource = "get", "pods/log"
	}
	return fmt.Sprintf(`the ServiceAccount or user needs permission to %s %s in namespace %s: `+
		`bind it there to a Role or ClusterRole with the rule {apiGroups: [""], resources: [%q], verbs: [%q]}`,
		verb, resource, l.namespace, resource, verb)
}

func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return media
}
