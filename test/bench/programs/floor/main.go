// Command floor measures the lower bound for the cost of a check over the network: it requests the same list as crashcheck,
// reads and decompresses the response, and discards it.
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
		TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}},
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
	for check := 1; ; check++ {
		if err := list(client); err != nil || check == count {
			return err
		}
		<-ticker.C
	}
}

func list(client *http.Client) error {
	query := url.Values{"labelSelector": {os.Getenv("SELECTOR")}}
	request, err := http.NewRequest(http.MethodGet, os.Getenv("SERVER")+"/api/v1/namespaces/"+os.Getenv("NAMESPACE")+"/pods?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.kubernetes.protobuf")
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
