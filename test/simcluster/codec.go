package simcluster

import (
	"bytes"
	"compress/gzip"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// gzipFrom is the size in bytes from which API servers compress an answer, if the client accepts gzip.
const gzipFrom = 128 * 1024

// write answers with an object of the core group, in the client's preferred encoding.
func (s *Server) write(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	mediaType, ok := s.negotiate(r.Header.Get("Accept"))
	if !ok {
		mediaType, code = runtime.ContentTypeJSON, http.StatusNotAcceptable
		status := apierrors.NewGenericServerResponse(code, r.Method, corev1.Resource("pods"), "", "only JSON and protobuf are served", 0, false).Status()
		object = &status
	}
	body, err := s.encode(object, mediaType)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if len(body) >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body = compress(body)
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body) // it fails only when the client has gone
}

func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err *apierrors.StatusError) {
	status := err.Status()
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	s.write(w, r, int(status.Code), &status)
}

// negotiate picks the first media type of an Accept header that the server supports. Clients list them by preference.
func (s *Server) negotiate(accept string) (mediaType string, ok bool) {
	if accept == "" {
		return runtime.ContentTypeJSON, true
	}
	for clause := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(clause)
		switch {
		case err != nil, params["as"] != "": // kubectl asks for a Table first
		case mediaType == runtime.ContentTypeProtobuf && !s.options.jsonOnly:
			return mediaType, true
		case mediaType == runtime.ContentTypeJSON, mediaType == "application/*", mediaType == "*/*":
			return runtime.ContentTypeJSON, true
		}
	}
	return "", false
}

// coreCodecs are apimachinery's own serializers for the core group.
func coreCodecs() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme)
}

// encode writes the object as an API server does, with kind and apiVersion.
func (s *Server) encode(object runtime.Object, mediaType string) ([]byte, error) {
	info, ok := runtime.SerializerInfoForMediaType(s.codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		return nil, errors.New("no serializer for " + mediaType)
	}
	return runtime.Encode(s.codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), object)
}

func compress(body []byte) []byte {
	var zipped bytes.Buffer
	writer, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is valid
	}
	writer.Write(body) // writing to a buffer does not fail
	writer.Close()
	return zipped.Bytes()
}
