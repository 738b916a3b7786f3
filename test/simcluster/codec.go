package simcluster

import (
	"bytes"
	"compress/gzip"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// gzipFrom is the size in bytes from which API servers compress an answer, if the client accepts gzip.
const gzipFrom = 128 * 1024

// write answers with an object, in the client's preferred encoding.
func (s *Server) write(w http.ResponseWriter, r *http.Request, code int, object runtime.Object) {
	_, custom := object.(*unstructured.Unstructured) // API servers serve custom resources in JSON only
	mediaType, ok := negotiate(r.Header.Get("Accept"), !custom && !s.options.jsonOnly)
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

// negotiate picks the first media type of an Accept header that is supported. Clients list them by preference.
func negotiate(accept string, protobuf bool) (mediaType string, ok bool) {
	if accept == "" {
		return runtime.ContentTypeJSON, true
	}
	for clause := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(clause)
		switch {
		case err != nil, params["as"] != "": // kubectl asks for a Table first
		case mediaType == runtime.ContentTypeProtobuf && protobuf:
			return mediaType, true
		case mediaType == runtime.ContentTypeJSON, mediaType == "application/*", mediaType == "*/*":
			return runtime.ContentTypeJSON, true
		}
	}
	return "", false
}

// served are the versions of the API.
var served = schema.GroupVersions{corev1.SchemeGroupVersion, appsv1.SchemeGroupVersion, rolloutGroupVersion}

// codecs are apimachinery's own serializers.
func codecs() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(appsv1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme)
}

// encode writes the object as an API server does, with kind and apiVersion.
func (s *Server) encode(object runtime.Object, mediaType string) ([]byte, error) {
	info, ok := runtime.SerializerInfoForMediaType(s.codecs.SupportedMediaTypes(), mediaType)
	if !ok {
		return nil, errors.New("no serializer for " + mediaType)
	}
	return runtime.Encode(s.codecs.EncoderForVersion(info.Serializer, served), object)
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
