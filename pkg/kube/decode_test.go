package kube

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/crashcheck/crashcheck/pkg/typed"
)

func TestWhatIsNotAWholeAndRealListIsAnError(t *testing.T) {
	realJSON, realProtobuf := encode(t, samplePods(), mediaJSON), encode(t, samplePods(), mediaProtobuf)
	noVersion := samplePods()
	noVersion.ResourceVersion = ""
	for claim, test := range map[string]struct {
		code        int
		contentType string
		body        string
		want        string // part of the message
	}{
		"an empty object":                      {200, mediaJSON, `{}`, "it has no kind"},
		"null":                                 {200, mediaJSON, `null`, "it has no kind"},
		"an array":                             {200, mediaJSON, `[]`, "no list of pods"},
		"a number":                             {200, mediaJSON, `0`, "no list of pods"},
		"an unrelated object":                  {200, mediaJSON, `{"status":"ok","items":[]}`, "it has no kind"},
		"a kind without a version":             {200, mediaJSON, `{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[]}`, `of kind "PodList", version ""`},
		"a ConfigMap":                          {200, mediaJSON, string(encode(t, &corev1.ConfigMap{}, mediaJSON)), `of kind "ConfigMap"`},
		"a single pod":                         {200, mediaJSON, string(encode(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1"}}, mediaJSON)), `of kind "Pod"`},
		"another kind of list":                 {200, mediaJSON, string(encode(t, &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, mediaJSON)), `of kind "ServiceList"`},
		"another kind of list, in protobuf":    {200, mediaProtobuf, string(encode(t, &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, mediaProtobuf)), `of kind "ServiceList"`},
		"a List as kubectl prints it":          {200, mediaJSON, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`, `of kind "List"`},
		"a Table":                              {200, mediaJSON, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1"},"rows":[]}`, `of kind "Table"`},
		"a PodList of another group":           {200, mediaJSON, `{"kind":"PodList","apiVersion":"example.com/v1","metadata":{"resourceVersion":"1"},"items":[]}`, `version "example.com/v1"`},
		"a kind in the wrong letter case":      {200, mediaJSON, `{"KIND":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"ITEMS":[{}]}`, "no list of pods"},
		"a Status that says Success":           {200, mediaJSON, string(encode(t, &metav1.Status{Status: metav1.StatusSuccess, Code: 200}, mediaJSON)), `of kind "Status"`},
		"a Status that says Failure":           {200, mediaJSON, string(encode(t, &metav1.Status{Status: metav1.StatusFailure, Code: 500}, mediaJSON)), `of kind "Status"`},
		"a Status in protobuf":                 {200, mediaProtobuf, string(encode(t, &metav1.Status{Status: metav1.StatusSuccess, Code: 200}, mediaProtobuf)), `of kind "Status"`},
		"HTML":                                 {200, "text/html; charset=utf-8", `<html><body>Log in</body></html>`, `content type "text/html; charset=utf-8"`},
		"HTML that is called JSON":             {200, mediaJSON, `<html><body>Log in</body></html>`, "invalid character '<'"},
		"no body":                              {200, mediaJSON, ``, "it is empty"},
		"no body, in protobuf":                 {200, mediaProtobuf, ``, "it is empty"},
		"protobuf's prefix alone":              {200, mediaProtobuf, "k8s\x00", "it has no kind"},
		"white space":                          {200, mediaJSON, " \n", "no list of pods"},
		"204 No Content":                       {204, mediaJSON, ``, "204 No Content"},
		"206 with a real list":                 {206, mediaJSON, string(realJSON), "206 Partial Content"},
		"201 with a real list":                 {201, mediaJSON, string(realJSON), "201 Created"},
		"a list without a content type":        {200, "", string(realJSON), `content type ""`},
		"a list of another content type":       {200, "text/plain", string(realJSON), `content type "text/plain"`},
		"JSON that is called protobuf":         {200, mediaProtobuf, string(realJSON), "does not begin as Kubernetes' protobuf does"},
		"protobuf that is called JSON":         {200, mediaJSON, string(realProtobuf), "invalid character"},
		"a list without a resourceVersion":     {200, mediaJSON, string(edited(t, map[string]any{"metadata": nil})), "it has no resourceVersion"},
		"one without it in protobuf":           {200, mediaProtobuf, string(encode(t, noVersion, mediaProtobuf)), "it has no resourceVersion"},
		"items that are an object":             {200, mediaJSON, string(edited(t, map[string]any{"items": map[string]any{}})), "no list of pods"},
		"items that are numbers":               {200, mediaJSON, string(edited(t, map[string]any{"items": []int{1, 2}})), "no list of pods"},
		"a restartCount that is too large":     {200, mediaJSON, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"status":{"containerStatuses":[{"restartCount":2147483648}]}}]}`, "2147483648"},
		"items that are a number, in protobuf": {200, mediaProtobuf, listWith("\x10\x05"), "wire type 0"},
		"items of a fixed size, in protobuf":   {200, mediaProtobuf, listWith("\x15\x00\x00\x00\x00"), "wire type 5"},
		"metadata that are a number":           {200, mediaProtobuf, listWith("\x08\x05"), "wire type 0"},
		"a number that ends behind the list":   {200, mediaProtobuf, listWith("\x2d\x00") + "\x12\x02\x0a\x00\x12\x02\x0a\x00", "unexpected EOF"},
		"a pod without UID in protobuf":        {200, mediaProtobuf, listWith("\x12\x00"), "without UID"},
		"garbage behind a list":                {200, mediaJSON, string(realJSON) + `{"kind":"PodList"}`, "after top-level value"},
		"garbage behind a list in protobuf":    {200, mediaProtobuf, string(realProtobuf) + "garbage", "no list of pods"},
		"a list that is empty in its envelope": {200, mediaProtobuf, "k8s\x00\n\x0d\n\x02v1\x12\x07PodList", "it has no resourceVersion"},
	} {
		t.Run(claim, func(t *testing.T) {
			list, err := serve(t, answer(test.code, test.contentType, []byte(test.body))).List(t.Context(), options)
			if err == nil {
				t.Fatalf("it is believed: %d pods", len(list.Items))
			}
			if list != nil {
				t.Errorf("there is a list beside the error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("the message is %q; it does not hold %q", err, test.want)
			}
		})
	}
}

// listWith is a PodList in protobuf with these bytes behind its metadata.
func listWith(fields string) string {
	object := "\n\x03\x12\x011" + fields
	return "k8s\x00\n\x0d\n\x02v1\x12\x07PodList\x12" + string(rune(len(object))) + object
}

func TestWhatIsAWholeAndRealListIsBelieved(t *testing.T) {
	empty := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for claim, test := range map[string]struct {
		contentType string
		body        []byte
		want        int
	}{
		"JSON":                       {mediaJSON, encode(t, samplePods(), mediaJSON), 3},
		"JSON with a charset":        {"application/json; charset=utf-8", encode(t, samplePods(), mediaJSON), 3},
		"protobuf":                   {mediaProtobuf, encode(t, samplePods(), mediaProtobuf), 3},
		"no pods, in JSON":           {mediaJSON, encode(t, empty, mediaJSON), 0},
		"no pods, in protobuf":       {mediaProtobuf, encode(t, empty, mediaProtobuf), 0},
		"items null":                 {mediaJSON, []byte(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":null}`), 0},
		"no items":                   {mediaJSON, []byte(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"}}`), 0},
		"fields of a server to come": {mediaJSON, edited(t, map[string]any{"shards": []int{1}}), 3},
	} {
		t.Run(claim, func(t *testing.T) {
			list, err := serve(t, answer(200, test.contentType, test.body)).List(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Items) != test.want {
				t.Errorf("%d pods, want %d", len(list.Items), test.want)
			}
		})
	}
}

func TestProtobufSaysTheSameAsJSON(t *testing.T) {
	fromJSON, err := decode(encode(t, samplePods(), mediaJSON), mediaJSON)
	if err != nil {
		t.Fatal(err)
	}
	fromProtobuf, err := decode(encode(t, samplePods(), mediaProtobuf), mediaProtobuf)
	if err != nil {
		t.Fatal(err)
	}
	want := essentials(typed.PodList(samplePods()))
	if !equality.Semantic.DeepEqual(essentials(fromProtobuf), want) {
		t.Errorf("protobuf:\n got %v\nwant %v", fromProtobuf, want)
	}
	if got := essentials(fromJSON); !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("JSON:\n got %v\nwant %v", got, want)
	}
}

func TestOnePageDoesNotChangeAnother(t *testing.T) {
	// Pages are read into buffers that are used again.
	first, second := samplePods(), samplePods()
	for i := range second.Items {
		second.Items[i].Name, second.Items[i].UID = "web-xyz-"+second.Items[i].Name[8:], "other"
		for j := range second.Items[i].ManagedFields {
			second.Items[i].ManagedFields[j].FieldsV1.SetRawBytes([]byte(`{"f:other_":{}}`))
		}
	}
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		bodies := map[string][]byte{"": encode(t, first, media), "next": encode(t, second, media)}
		pods := serve(t, func(w http.ResponseWriter, r *http.Request) {
			answer(200, media, bodies[r.URL.Query().Get("continue")])(w, r)
		})
		// The race detector lets pools forget at random. Without it, the second page is read to where the first one was.
		got, err := pods.List(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		before, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		next := options
		next.Continue = "next"
		if _, err := pods.List(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if after, err := json.Marshal(got); err != nil || !bytes.Equal(after, before) {
			t.Errorf("%s: the second page has changed the first", media)
		}
	}
}

func TestAListTruncatedAnywhereIsNeverASmallerOne(t *testing.T) {
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		body := encode(t, samplePods(), media)
		whole, err := decode(body, media)
		if err != nil {
			t.Fatal(err)
		}
		believed := 0
		for length := range body {
			list, err := decode(body[:length], media)
			if err != nil {
				continue
			}
			believed++
			if !equality.Semantic.DeepEqual(list, whole) {
				t.Errorf("%s cut to %d of %d bytes is taken for a list of %d pods", media, length, len(body), len(list.Items))
			}
		}
		// A line end closes the JSON. Protobuf's envelope has two empty fields behind the list; what ends before or
		// between them holds the whole list.
		if most := map[string]int{mediaJSON: 1, mediaProtobuf: 2}[media]; believed > most {
			t.Errorf("%s: %d truncated lists are believed, want at most %d", media, believed, most)
		}
	}
}

func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) {
	// The length promised, or the last chunk, is what is missing: on the wire even the last byte counts.
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		body := encode(t, samplePods(), media)
		for _, chunked := range []bool{false, true} {
			for _, length := range []int{0, 1, len(body) / 2, len(body) - 1, len(body)} {
				if length == len(body) && !chunked {
					continue // this one is whole
				}
				pods := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", media)
					if !chunked {
						w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
					}
					_, _ = w.Write(body[:length])
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				})
				if list, err := pods.List(t.Context(), options); err == nil {
					t.Errorf("%s (chunked: %v) broken off after %d of %d bytes is believed: %d pods", media, chunked, length, len(body), len(list.Items))
				}
			}
		}
	}
}

func TestFlippedBitsNeverPanic(t *testing.T) {
	for _, media := range []string{mediaJSON, mediaProtobuf} {
		body := encode(t, samplePods(), media)
		for i := range body {
			for bit := range 8 {
				damaged := bytes.Clone(body)
				damaged[i] ^= 1 << bit
				if list, err := decode(damaged, media); err == nil && list.ResourceVersion == "" {
					t.Errorf("%s with bit %d of byte %d flipped: a list without resourceVersion is believed", media, bit, i)
				}
			}
		}
	}
}

func TestALengthPrefixThatIsTooLargeIsAnError(t *testing.T) {
	for _, length := range []uint64{1 << 20, 1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		// Field 2 of the envelope, the list, promises that many bytes.
		envelope := binary.AppendUvarint([]byte("k8s\x00\n\x0d\n\x02v1\x12\x07PodList\x12"), length)
		if list, err := decode(append(envelope, "\n\x02\x12\x00"...), mediaProtobuf); err == nil {
			t.Errorf("a length of %d is believed: %d pods", length, len(list.Items))
		}
		// So does the first item within the list.
		item := binary.AppendUvarint([]byte("\n\x03\x12\x011\x12"), length)
		envelope = append([]byte("k8s\x00\n\x0d\n\x02v1\x12\x07PodList\x12"), byte(len(item)))
		if list, err := decode(append(envelope, item...), mediaProtobuf); err == nil {
			t.Errorf("a length of %d within the list is believed: %d pods", length, len(list.Items))
		}
	}
}

// FuzzReadPodList looks for answers that panic, that are taken for a list without being one, or that mean something
// else here than to apimachinery.
func FuzzReadPodList(f *testing.F) {
	for _, list := range []*corev1.PodList{samplePods(), {ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, {}} {
		f.Add(encode(f, list, mediaJSON), false)
		f.Add(encode(f, list, mediaProtobuf), true)
	}
	for _, object := range []runtime.Object{&metav1.Status{Status: metav1.StatusSuccess}, &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}} {
		f.Add(encode(f, object, mediaJSON), false)
		f.Add(encode(f, object, mediaProtobuf), true)
	}
	for _, text := range []string{"", "{}", "null", "<html></html>", `{"KIND":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"ITEMS":[{}]}`} {
		f.Add([]byte(text), false)
	}
	f.Add([]byte("k8s\x00"), true)
	f.Add([]byte(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"uid":"a","creationTimestamp":"2026-95-04T03:02:01Z"}}]}`), false)
	f.Fuzz(func(t *testing.T, body []byte, asProtobuf bool) {
		media := mediaJSON
		if asProtobuf {
			media = mediaProtobuf
		}
		list, err := decode(body, media)
		reference, referenceErr := libraryDecode(body, media)
		isList := referenceErr == nil && isRealList(body, media)
		switch {
		case err == nil && list.ResourceVersion == "":
			t.Fatal("a list without resourceVersion is believed")
		case err == nil && !isList && !isListAround(body, media):
			t.Fatalf("what is no list of pods is believed: %d pods (the library says: %v)", len(list.Items), referenceErr)
		case err == nil && isList && !equality.Semantic.DeepEqual(essentials(list), essentials(typed.PodList(reference))):
			t.Fatalf("\n got %v\nwant %v", essentials(list), essentials(typed.PodList(reference)))
		case err != nil && isList && asProtobuf:
			// The library takes numbers that no encoder writes. As it writes them itself, they must be understood.
			if _, err := decode(encode(t, reference, media), media); err != nil {
				t.Fatalf("a real list is refused: %v", err)
			}
		case err != nil && isList:
			t.Fatalf("a real list is refused: %v", err)
		}
	})
}

// isListAround tells whether a body is a PodList, were it not for a fault inside of its pods, in fields that are skipped.
func isListAround(body []byte, media string) bool {
	if media == mediaJSON {
		var list struct {
			Items []map[string]json.RawMessage `json:"items"`
		}
		return json.Unmarshal(body, &list) == nil && hasListMeta(body)
	}
	var envelope runtime.Unknown
	if !bytes.HasPrefix(body, protobufMagic) || envelope.Unmarshal(body[4:]) != nil || envelope.Kind != "PodList" || envelope.APIVersion != "v1" {
		return false
	}
	for rest := envelope.Raw; len(rest) > 0; {
		number, kind, n := protowire.ConsumeField(rest)
		if n < 0 || number <= 2 && kind != protowire.BytesType {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// libraryDecode decodes as a typed client does: into a PodList, with the kind taken for granted where it is missing.
func libraryDecode(body []byte, media string) (*corev1.PodList, error) {
	info, _ := runtime.SerializerInfoForMediaType(library.SupportedMediaTypes(), media)
	list := &corev1.PodList{}
	_, _, err := info.Serializer.Decode(body, nil, list)
	return list, err
}

// isRealList looks at the kind and the resourceVersion without the code under test.
func isRealList(body []byte, media string) bool {
	if media == mediaProtobuf {
		var envelope runtime.Unknown
		var list corev1.PodList
		return bytes.HasPrefix(body, []byte("k8s\x00")) && envelope.Unmarshal(body[4:]) == nil &&
			envelope.Kind == "PodList" && envelope.APIVersion == "v1" &&
			list.Unmarshal(envelope.Raw) == nil && list.ResourceVersion != ""
	}
	return hasListMeta(body)
}

// hasListMeta tells whether JSON has the kind and the resourceVersion of a real list.
func hasListMeta(body []byte) bool {
	var fields map[string]json.RawMessage // a map, because it minds letter case
	var kind, version, resourceVersion string
	if json.Unmarshal(body, &fields) != nil {
		return false
	}
	var metadata map[string]json.RawMessage
	_ = json.Unmarshal(fields["kind"], &kind)
	_ = json.Unmarshal(fields["apiVersion"], &version)
	_ = json.Unmarshal(fields["metadata"], &metadata)
	_ = json.Unmarshal(metadata["resourceVersion"], &resourceVersion)
	return kind == "PodList" && version == "v1" && resourceVersion != ""
}
