package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	apiruntime "k8s.io/apimachinery/pkg/runtime"
)

// listStart begins a PodList in JSON, and listWith continues one in protobuf after its metadata.
const listStart = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"}`

func listWith(fields string) string {
	object := "\n\x03\x12\x011" + fields
	return "k8s\x00\n\x0d\n\x02v1\x12\x07PodList\x12" + string(rune(len(object))) + object
}

func TestAnInvalidListIsAnError(t *testing.T) {
	realJSON, realProtobuf := encode(t, samplePods(), mediaJSON), encode(t, samplePods(), mediaProtobuf)
	withVersion := metav1.ListMeta{ResourceVersion: "1"}
	incomplete := samplePods()
	incomplete.Continue = "next"
	for claim, test := range map[string]struct {
		code        int
		contentType string
		body        string
		want        string // part of the error
	}{
		"an empty object":                      {200, mediaJSON, `{}`, "invalid PodList: no kind"},
		"null":                                 {200, mediaJSON, `null`, "not a JSON object"},
		"another kind of list":                 {200, mediaJSON, string(encode(t, &corev1.ServiceList{ListMeta: withVersion}, mediaJSON)), `kind "ServiceList"`},
		"a Status in protobuf":                 {200, mediaProtobuf, string(encode(t, &metav1.Status{Status: metav1.StatusSuccess, Code: 200}, mediaProtobuf)), `kind "Status"`},
		"a kind after items that is another":   {200, mediaJSON, `{"apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"uid":"u"}}],"kind":"ServiceList"}`, `kind "ServiceList"`},
		"a PodList of another group":           {200, mediaJSON, `{"kind":"PodList","apiVersion":"example.com/v1","metadata":{"resourceVersion":"1"},"items":[]}`, `apiVersion "example.com/v1"`},
		"keys in another letter case":          {200, mediaJSON, `{"KIND":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"ITEMS":[{}]}`, "no kind"},
		"HTML":                                 {200, "text/html; charset=utf-8", `<html><body>Log in</body></html>`, `content type "text/html; charset=utf-8"`},
		"no body":                              {200, mediaJSON, ``, "empty response body"},
		"no body, in protobuf":                 {200, mediaProtobuf, ``, "empty response body"},
		"only white space":                     {200, mediaJSON, " \n", "unexpected EOF"},
		"only protobuf's prefix":               {200, mediaProtobuf, "k8s\x00", "no kind"},
		"206 with a real list":                 {206, mediaJSON, string(realJSON), "206 Partial Content"},
		"a list without a content type":        {200, "", string(realJSON), `content type ""`},
		"JSON that claims to be protobuf":      {200, mediaProtobuf, string(realJSON), "not in Kubernetes' protobuf format"},
		"protobuf that claims to be JSON":      {200, mediaJSON, string(realProtobuf), "invalid character"},
		"no resourceVersion":                   {200, mediaJSON, `{"kind":"PodList","apiVersion":"v1","items":[]}`, "no metadata.resourceVersion"},
		"no list in the envelope":              {200, mediaProtobuf, "k8s\x00\n\x0d\n\x02v1\x12\x07PodList", "no metadata.resourceVersion"},
		"a continue token":                     {200, mediaJSON, string(encode(t, incomplete, mediaJSON)), "incomplete PodList"},
		"items that are an object":             {200, mediaJSON, listStart + `,"items":{}}`, "items is not a list"},
		"items that occur twice":               {200, mediaJSON, listStart + `,"items":null,"items":[]}`, "items occurs twice"},
		"two lists, in protobuf":               {200, mediaProtobuf, listWith("") + "\x12\x00", "items occurs twice"},
		"a restartCount that is too large":     {200, mediaJSON, listStart + `,"items":[{"status":{"containerStatuses":[{"restartCount":2147483648}]}}]}`, "2147483648"},
		"items that are a number, in protobuf": {200, mediaProtobuf, listWith("\x10\x05"), "wire type 0"},
		"a pod's metadata that is a number":    {200, mediaProtobuf, listWith("\x12\x02\x08\x05"), "wire type 0"},
		"data after a list":                    {200, mediaJSON, string(realJSON) + `{"kind":"PodList"}`, "data after the end of the list"},
		"data after a list, in protobuf":       {200, mediaProtobuf, string(realProtobuf) + "garbage", "invalid PodList"},
		"data after items":                     {200, mediaJSON, listStart + `,"items":[]]}`, "invalid character"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := list(t.Context(), serve(t, answer(test.code, test.contentType, []byte(test.body))))
			wantError(t, err, test.want)
		})
	}
}

func TestACompleteListIsAccepted(t *testing.T) {
	empty := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for claim, test := range map[string]struct {
		contentType string
		body        []byte
		want        int
	}{
		"JSON with a charset":        {"application/json; charset=utf-8", encode(t, samplePods(), mediaJSON), 3},
		"protobuf":                   {mediaProtobuf, encode(t, samplePods(), mediaProtobuf), 3},
		"no pods, in JSON":           {mediaJSON, encode(t, empty, mediaJSON), 0},
		"no pods, in protobuf":       {mediaProtobuf, encode(t, empty, mediaProtobuf), 0},
		"items null":                 {mediaJSON, []byte(listStart + `,"items":null}`), 0},
		"no items":                   {mediaJSON, []byte(listStart + `}`), 0},
		"a kind after the items":     {mediaJSON, []byte(`{"items":[{"metadata":{"uid":"u"}}],"metadata":{"resourceVersion":"1"},"apiVersion":"v1","kind":"PodList"}`), 1},
		"fields of a future version": {mediaJSON, []byte(listStart + `,"shards":[1],"another":{"a":null},"items":[{"metadata":{"uid":"u"}}]}`), 1},
		"fields of one, in protobuf": {mediaProtobuf, []byte(listWith("\x3a\x02ab\x12\x05\x0a\x03\x2a\x01u") + "\x2a\x01x"), 1},
	} {
		t.Run(claim, func(t *testing.T) {
			pods, err := list(t.Context(), serve(t, answer(200, test.contentType, test.body)))
			if err != nil {
				t.Fatal(err)
			}
			if len(pods) != test.want {
				t.Errorf("%d pods, want %d", len(pods), test.want)
			}
		})
	}
}

func TestAnErrorOfVisitEndsTheList(t *testing.T) {
	enough := errors.New("enough")
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		pods := 0
		err := serve(t, answer(200, media, encode(t, samplePods(), media))).List(t.Context(), selector, func(*corev1.Pod) error {
			pods++
			return enough
		})
		if err != enough || pods != 1 {
			t.Errorf("%s: the error is %v after %d pods", media, err, pods)
		}
	}
}

func TestAConnectionThatBreaksIsAnError(t *testing.T) {
	// On the wire, every byte counts: those that Content-Length promises, the last chunk, and the checksum of gzip.
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		plain := encode(t, samplePods(), media)
		for encoding, body := range map[string][]byte{"identity": plain, "gzip": compress(plain)} {
			for _, chunked := range []bool{false, true} {
				for _, length := range []int{0, 1, len(body) / 2, len(body) - 1, len(body)} {
					complete := length == len(body) && !chunked
					client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Type", media)
						w.Header().Set("Content-Encoding", encoding)
						if !chunked {
							w.Header().Set("Content-Length", strconv.Itoa(len(body)))
						}
						_, _ = w.Write(body[:length])
						_ = http.NewResponseController(w).Flush()
						panic(http.ErrAbortHandler)
					})
					if pods, err := list(t.Context(), client); (err == nil) != complete {
						t.Errorf("%s %s (chunked: %v), %d of %d bytes: %d pods, %v", media, encoding, chunked, length, len(body), len(pods), err)
					}
				}
			}
		}
	}
}

func compress(body []byte) []byte {
	var compressed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&compressed, gzip.BestSpeed) // as API servers do
	_, _ = w.Write(body)
	_ = w.Close()
	return compressed.Bytes()
}

func TestATruncatedOrDamagedListMeansTheSameToTheLibrary(t *testing.T) {
	pods := samplePods()
	pods.Items = pods.Items[1:2]
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		body := encode(t, pods, media)
		for i := range body {
			compareWithLibrary(t, body[:i], media)
			for bit := range 8 {
				damaged := bytes.Clone(body)
				damaged[i] ^= 1 << bit
				compareWithLibrary(t, damaged, media)
			}
		}
	}
}

func TestALengthThatIsTooLargeIsAnError(t *testing.T) {
	for _, length := range []uint64{1 << 20, 1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		envelope := []byte("k8s\x00\n\x0d\n\x02v1\x12\x07PodList")
		list := binary.AppendUvarint(append(bytes.Clone(envelope), 0x12), length)
		item := binary.AppendUvarint([]byte("\n\x03\x12\x011\x12"), length)
		for claim, body := range map[string][]byte{
			"of the list":         append(list, "\n\x03\x12\x011"...),
			"of a pod":            append(append(bytes.Clone(envelope), 0x12, byte(len(item))), item...),
			"of an unknown field": binary.AppendUvarint(append([]byte(listWith("")), 0x2a), length),
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := decode(body, mediaProtobuf); err == nil {
				t.Errorf("a length %s of %d is accepted", claim, length)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
				t.Errorf("a length %s of %d takes %d bytes of memory", claim, length, grown)
			}
		}
	}
}

// manyPods returns the body of a list that repeats a pod.
func manyPods(media string, pod []byte, n int) io.Reader {
	if media == mediaJSON {
		first := listStart + `,"items":[` + string(pod)
		return io.MultiReader(strings.NewReader(first), &repeater{item: append([]byte(","), pod...), n: n - 1}, strings.NewReader("]}"))
	}
	item := append(binary.AppendUvarint([]byte("\x12"), uint64(len(pod))), pod...)
	start := binary.AppendUvarint([]byte("k8s\x00\n\x0d\n\x02v1\x12\x07PodList\x12"), uint64(len(item)*n+5))
	return io.MultiReader(bytes.NewReader(append(start, "\n\x03\x12\x011"...)), &repeater{item: item, n: n})
}

// repeater is a reader of an item that is repeated n times.
type repeater struct {
	item []byte
	n    int
	rest []byte
}

func (r *repeater) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n, r.rest = r.n-1, r.item
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestMemoryDoesNotGrowWithTheNumberOfPods(t *testing.T) {
	pod := &samplePods().Items[1]
	pod.Annotations = map[string]string{"note": strings.Repeat("x", 4000)}
	inJSON, _ := json.Marshal(pod)
	inProtobuf, _ := pod.Marshal()
	for media, body := range map[string]io.Reader{mediaJSON: manyPods(mediaJSON, inJSON, 5000), mediaProtobuf: manyPods(mediaProtobuf, inProtobuf, 5000)} {
		used := func() uint64 {
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			return memory.HeapAlloc
		}
		before, pods, most := used(), 0, uint64(0)
		err := read(body, media, func(*corev1.Pod) error {
			if pods++; pods%1000 == 0 {
				most = max(most, used())
			}
			return nil
		})
		if err != nil || pods != 5000 {
			t.Fatalf("%s: %d pods, %v", media, pods, err)
		}
		if most > before+1<<20 {
			t.Errorf("%s: %d kB of memory are in use while 5,000 pods of 4 kB are read", media, (most-before)>>10)
		}
	}
}

func TestAListHasALimitOfPods(t *testing.T) {
	for _, test := range []struct {
		media, pod string
		pods       int
		want       string
	}{
		{mediaProtobuf, "\x0a\x03\x2a\x01u", maxPods, ""},
		{mediaProtobuf, "\x0a\x03\x2a\x01u", maxPods + 1, "invalid PodList: more than 200000 pods"},
		{mediaJSON, `{"metadata":{"uid":"u"}}`, maxPods + 1, "invalid PodList: more than 200000 pods"},
	} {
		visited := 0
		err := read(manyPods(test.media, []byte(test.pod), test.pods), test.media, func(*corev1.Pod) error { visited++; return nil })
		if test.want != "" {
			wantError(t, err, test.want)
		} else if err != nil {
			t.Errorf("a list of %d pods: %v", test.pods, err)
		}
		if visited != maxPods {
			t.Errorf("%d of %d pods are visited", visited, test.pods)
		}
	}
}

func TestAPodHasALimitOfBytes(t *testing.T) {
	for claim, start := range map[string]string{
		"before the list":            "",
		"in a pod":                   `{"items":[{"metadata":{"name":"`,
		"in a key that is skipped":   `{"x":"`,
		"in protobuf":                "k8s\x00\n\x0d\n\x02v1\x12\x07PodList\x12\xff\xff\xff\xff\x7f\x12\xff\xff\xff\xff\x0f",
		"in a field that is skipped": "k8s\x00\x2a\xff\xff\xff\xff\x7f",
	} {
		t.Run(claim, func(t *testing.T) {
			media := mediaJSON
			if strings.HasPrefix(start, "k8s") {
				media = mediaProtobuf
			}
			body := &listBody{from: io.MultiReader(strings.NewReader(start), &repeater{item: bytes.Repeat([]byte(" "), 1<<20), n: 1 << 20}), left: maxBytes}
			_ = (&listReader{body: body, visit: func(*corev1.Pod) error { return nil }}).read(media)
			wantError(t, body.err, "more than 8 MiB without a complete pod")
			if body.n > maxBytes+2<<20 {
				t.Errorf("%d bytes are read", body.n)
			}
		})
	}
}

// FuzzList looks for responses that panic, that are accepted as a list without being one, or that mean something else to
// apimachinery.
func FuzzList(f *testing.F) {
	for _, list := range []*corev1.PodList{samplePods(), {ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, {}} {
		f.Add(encode(f, list, mediaJSON), false)
		f.Add(encode(f, list, mediaProtobuf), true)
	}
	for _, object := range []apiruntime.Object{&metav1.Status{Status: metav1.StatusSuccess}, &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}} {
		f.Add(encode(f, object, mediaJSON), false)
		f.Add(encode(f, object, mediaProtobuf), true)
	}
	for _, text := range []string{
		"", "{}", "null", "<html></html>", `{"KIND":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"ITEMS":[{}]}`,
		listStart + `,"items":[{"metadata":{"uid":"a","creationTimestamp":"2026-95-04T03:02:01Z"}}]}`,
	} {
		f.Add([]byte(text), false)
	}
	f.Add([]byte("k8s\x00"), true)
	f.Fuzz(func(t *testing.T, body []byte, asProtobuf bool) {
		media := mediaJSON
		if asProtobuf {
			media = mediaProtobuf
		}
		compareWithLibrary(t, body, media)
	})
}

// compareWithLibrary decodes a body, and fails if the library does not agree.
func compareWithLibrary(t *testing.T, body []byte, media string) {
	t.Helper()
	asProtobuf := media == mediaProtobuf
	got, err := decode(body, media)
	want, libraryErr := libraryDecode(body, media)
	isList := libraryErr == nil && isRealList(body, media) && want.Continue == ""
	if asProtobuf && libraryErr == nil {
		want.Items = maskedPods(want.Items)
	}
	switch {
	case err == nil && !isList && !isListOfDamagedPods(body, media):
		t.Fatalf("an invalid list is accepted: %d pods (the library: %v)", len(got), libraryErr)
	case err == nil && isList && !equality.Semantic.DeepEqual(got, want.Items):
		t.Fatalf("\n got %v\nwant %v", got, want.Items)
	case err != nil && isList && asProtobuf:
		// The library accepts encodings that no encoder writes. But everything that it writes itself must be accepted.
		again, _ := libraryDecode(body, media)
		if _, err := decode(encode(t, again, media), media); err != nil {
			t.Fatalf("a real list is refused: %v", err)
		}
	case err != nil && isList && !errors.Is(err, errItemsTwice):
		t.Fatalf("a real list is refused: %v", err)
	}
}

// libraryDecode decodes as a typed client does: into a PodList, whose kind it assumes where the kind is absent.
func libraryDecode(body []byte, media string) (*corev1.PodList, error) {
	info, _ := apiruntime.SerializerInfoForMediaType(library.SupportedMediaTypes(), media)
	list := &corev1.PodList{}
	_, _, err := info.Serializer.Decode(body, nil, list)
	return list, err
}

// envelopeOf returns the PodList in the envelope of a body in protobuf.
func envelopeOf(body []byte) (list []byte, isPodList bool) {
	var envelope apiruntime.Unknown
	isPodList = bytes.HasPrefix(body, protobufMagic) && envelope.Unmarshal(body[4:]) == nil && envelope.Kind == "PodList" && envelope.APIVersion == "v1"
	return envelope.Raw, isPodList
}

// isRealList checks the kind and the resourceVersion, without the code under test.
func isRealList(body []byte, media string) bool {
	if media == mediaProtobuf {
		var list corev1.PodList
		raw, isPodList := envelopeOf(body)
		return isPodList && list.Unmarshal(raw) == nil && list.ResourceVersion != ""
	}
	var object map[string]any // whose keys are case-sensitive
	_ = json.Unmarshal(body, &object)
	version, _, _ := unstructured.NestedString(object, "metadata", "resourceVersion")
	return object["kind"] == "PodList" && object["apiVersion"] == "v1" && version != ""
}

// isListOfDamagedPods reports whether a body in protobuf is a PodList, apart from errors in fields that the mask removes.
func isListOfDamagedPods(body []byte, media string) bool {
	rest, isPodList := envelopeOf(body)
	if media != mediaProtobuf || !isPodList {
		return false
	}
	for len(rest) > 0 {
		number, kind, n := protowire.ConsumeField(rest)
		if n < 0 || number <= 2 && kind != protowire.BytesType {
			return false
		}
		rest = rest[n:]
	}
	return true
}
