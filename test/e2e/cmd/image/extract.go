package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// machines are the ELF names of the architectures of the image.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// extract writes the only file of an image, its entry point, to out. The image
// is a docker-archive. The file and the image's configuration must be for arch.
func extract(tarball, arch, out string) error {
	data, err := os.ReadFile(tarball)
	if err != nil {
		return err
	}
	archive, err := files(data)
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(archive["manifest.json"], &manifest); err != nil || len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		return fmt.Errorf("want one image with one layer (%v): %s", err, archive["manifest.json"])
	}
	var image struct {
		Architecture, OS string
		Config           struct{ Entrypoint []string }
	}
	config := archive[manifest[0].Config]
	if err := json.Unmarshal(config, &image); err != nil || image.OS != "linux" || image.Architecture != arch || len(image.Config.Entrypoint) != 1 {
		return fmt.Errorf("want an image for linux/%s with one entry point (%v): %s", arch, err, config)
	}
	content, err := files(archive[manifest[0].Layers[0]])
	if err != nil {
		return fmt.Errorf("read the layer of the image: %w", err)
	}
	binary, found := content[strings.TrimPrefix(image.Config.Entrypoint[0], "/")]
	if !found || len(content) != 1 {
		return fmt.Errorf("the image has %d files; want only %s", len(content), image.Config.Entrypoint[0])
	}
	program, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("read the binary of the image: %w", err)
	}
	if program.Machine != machines[arch] {
		return fmt.Errorf("the binary of the image is for %v, want %v", program.Machine, machines[arch])
	}
	return os.WriteFile(out, binary, 0o755)
}

// files returns the regular files of a tar archive by name.
func files(archive []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			return nil, err
		}
	}
}
