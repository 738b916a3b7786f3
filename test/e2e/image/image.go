// Package image writes container images of one static binary as OCI layout tarballs, without a registry or a builder.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

const (
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	// nonRoot is the usual user of images without an operating system.
	nonRoot = "65532:65532"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// WriteTarball writes to path an image named ref (a full reference with a tag)
// whose only file is binary, put in the root folder and made the entry point.
func WriteTarball(path, ref, binary string) error {
	layer, err := layerOf(binary)
	if err != nil {
		return fmt.Errorf("make the layer of %s: %w", ref, err)
	}
	archive, err := layoutOf(ref, "/"+filepath.Base(binary), layer)
	if err != nil {
		return fmt.Errorf("make the image %s: %w", ref, err)
	}
	return os.WriteFile(path, archive, 0o644)
}

func layerOf(binary string) ([]byte, error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	return archiveOf([]file{{filepath.Base(binary), 0o755, data}})
}

func layoutOf(ref, entrypoint string, layer []byte) ([]byte, error) {
	blobs := []file{}
	add := func(mediaType string, data []byte) descriptor {
		sum := sha256.Sum256(data)
		digest := hex.EncodeToString(sum[:])
		blobs = append(blobs, file{"blobs/sha256/" + digest, 0o644, data})
		return descriptor{MediaType: mediaType, Digest: "sha256:" + digest, Size: len(data)}
	}
	addJSON := func(mediaType string, value any) (descriptor, error) {
		data, err := json.Marshal(value)
		if err != nil {
			return descriptor{}, err
		}
		return add(mediaType, data), nil
	}

	layerBlob := add(layerType, layer)
	configBlob, err := addJSON(configType, map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{entrypoint}, "User": nonRoot},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{layerBlob.Digest}},
	})
	if err != nil {
		return nil, err
	}
	manifestBlob, err := addJSON(manifestType, map[string]any{
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        configBlob,
		"layers":        []descriptor{layerBlob},
	})
	if err != nil {
		return nil, err
	}
	// containerd takes the image's whole name from this annotation.
	manifestBlob.Annotations = map[string]string{"io.containerd.image.name": ref}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifestBlob}})
	if err != nil {
		return nil, err
	}
	return archiveOf(append([]file{
		{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", 0o644, index},
	}, blobs...))
}

type file struct {
	name string
	mode int64
	data []byte
}

// archiveOf writes no timestamps, so that the same binary results in the same image.
func archiveOf(files []file) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
