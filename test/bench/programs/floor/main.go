// Command floor is the least that a check over the network can cost: it asks
// for the same pages of the same list as crashcheck does, reads the answers
// and throws them away. Of each it looks only for the token of the next page.
// With GZIP set it lets the server compress, and unpacks what it throws away.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func main() {
	// As crashcheck does.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(25)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run() error {
	authority, err := os.ReadFile(os.Getenv("CA_FILE"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}},
		DisableCompression: os.Getenv("GZIP") == "",
	}}
	interval, err := time.ParseDuration(os.Getenv("INTERVAL"))
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(os.Getenv("COUNT"))
	if err != nil {
		return err
	}
	ticker := time.NewTicker(interval)
	buffer := make([]byte, 64<<10)
	for check := 1; ; check++ {
		for token, last := "", false; !last; last = token == "" {
			if token, err = page(client, token, buffer); err != nil {
				return err
			}
		}
		if check == count {
			return nil
		}
		<-ticker.C
	}
}

func page(client *http.Client, token string, buffer []byte) (next string, err error) {
	query := url.Values{"labelSelector": {os.Getenv("SELECTOR")}, "limit": {os.Getenv("LIMIT")}}
	if token != "" {
		query.Set("continue", token)
	}
	request, err := http.NewRequest(http.MethodGet, os.Getenv("SERVER")+"/api/v1/namespaces/"+os.Getenv("NAMESPACE")+"/pods?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Accept", "application/vnd.kubernetes.protobuf")
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	n, err := io.ReadAtLeast(response.Body, buffer, 1024)
	if err != nil && err != io.ErrUnexpectedEOF {
		return "", err
	}
	next = continueToken(buffer[:n])
	// The wrapper hides io.Discard's own, smaller buffer.
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, buffer)
	return next, err
}

// continueToken finds the token in the beginning of a list: the list's
// metadata come first in it.
func continueToken(head []byte) string {
	// k8s\0, then runtime.Unknown: 1 its type, 2 the list.
	list := inside(inside(head[min(4, len(head)):], 2), 1)
	return string(inside(list, 3))
}

// inside returns the content of a message's first field of this number, as far
// as the message goes.
func inside(message []byte, wanted protowire.Number) []byte {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 || kind != protowire.BytesType && number == wanted {
			return nil
		}
		if number == wanted {
			size, m := protowire.ConsumeVarint(message[n:])
			if m < 0 {
				return nil
			}
			content := message[n+m:]
			return content[:min(uint64(len(content)), size)]
		}
		m := protowire.ConsumeFieldValue(number, kind, message[n:])
		if m < 0 {
			return nil
		}
		message = message[n+m:]
	}
	return nil
}
