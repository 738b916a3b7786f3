package kube

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"
)

// pieces is a connection on which these bytes arrive, at most so many with one read.
type pieces struct {
	net.Conn
	io.Reader
	most  int
	reads int
}

func (p *pieces) Read(b []byte) (int, error) {
	p.reads++
	return p.Reader.Read(b[:min(len(b), p.most)])
}

func gathering(r io.Reader, most int) (*gatheringConn, *pieces) {
	from := &pieces{Reader: r, most: most}
	return &gatheringConn{Conn: from, buffer: make([]byte, gatherSize)}, from
}

func TestGatheringChangesNoByte(t *testing.T) {
	want := make([]byte, 300<<10)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for _, most := range []int{1 << 10, gatherFrom, gatherSize - 1, gatherSize, 1 << 20} {
		for claim, how := range map[string]func(io.Reader) io.Reader{
			"whole reads": func(r io.Reader) io.Reader { return r }, "half reads": iotest.HalfReader, "an error beside the last bytes": iotest.DataErrReader,
		} {
			synctest.Test(t, func(t *testing.T) {
				conn, _ := gathering(how(bytes.NewReader(want)), most)
				if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, want) {
					t.Errorf("pieces of %d bytes, %s: %d bytes, %v", most, claim, len(got), err)
				}
			})
		}
	}
}

func TestAnErrorComesThroughAfterTheBytesBeforeIt(t *testing.T) {
	reset := errors.New("connection reset")
	synctest.Test(t, func(t *testing.T) {
		conn, _ := gathering(io.MultiReader(bytes.NewReader(make([]byte, 10<<10)), iotest.ErrReader(reset)), gatherFrom)
		got, err := io.ReadAll(conn)
		if len(got) != 10<<10 || err != reset {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestOnlyWhatIsPartOfSomethingLargeIsWaitedFor(t *testing.T) {
	for _, test := range []struct {
		claim   string
		arrives []int // bytes of each read of the connection
		want    time.Duration
	}{
		{"a handshake", []int{1200, 90, 4095}, 0},
		{"a list that comes in pieces", []int{gatherFrom, gatherFrom, 5000}, 2 * gatherFor},
		{"one that is there already", []int{gatherSize, gatherSize, gatherSize}, 0},
		{"what follows a small piece", []int{5000, 100, 5000}, gatherFor},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				conn, from := gathering(bytes.NewReader(make([]byte, 1<<20)), 0)
				for i, n := range test.arrives {
					from.most = n
					if read, err := conn.Read(make([]byte, gatherSize)); read != n || err != nil || from.reads != i+1 {
						t.Fatalf("read %d: %d bytes, %v, of %d reads of the connection", i, read, err, from.reads)
					}
				}
				if waited := time.Since(begun); waited != test.want {
					t.Errorf("waited %s, want %s", waited, test.want)
				}
			})
		})
	}
}

// asServer, in the environment, makes this test binary the server of BenchmarkList: a process of its own, as an API server is.
const asServer = "KUBE_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		serveBenchmark()
		return
	}
	os.Exit(m.Run())
}

// serveBenchmark writes what it reads from standard input to each client as an API server writes a list: some 5 kB for
// each pod, and about 45 µs of work before each (test/bench measures it). It says its address on standard output, and ends
// with its input.
func serveBenchmark() {
	var body []byte
	_ = json.NewDecoder(os.Stdin).Decode(&body)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaProtobuf)
		for piece := range slices.Chunk(body, 5<<10) {
			for begun := time.Now(); time.Since(begun) < 45*time.Microsecond; {
			}
			_, _ = w.Write(piece)
		}
	}))
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// A page of 250 pods over TLS: what gathering is for. The processor time is this process's, without the server's.
func BenchmarkList(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as the command has it
	list := recordedPods(b)
	list.Items = list.Items[:250]
	body := encode(b, list, mediaProtobuf)
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), asServer+"=1")
	in, inErr := server.StdinPipe()
	out, outErr := server.StdoutPipe()
	if err := errors.Join(inErr, outErr, server.Start(), json.NewEncoder(in).Encode(body)); err != nil {
		b.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = server.Wait()
	}()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	for _, benchmark := range []struct {
		name string
		dial func(context.Context, string, string) (net.Conn, error)
	}{{"gathering", dialGathering}, {"as-it-comes", (&net.Dialer{}).DialContext}} {
		b.Run(benchmark.name, func(b *testing.B) {
			pods := lister(b, &rest.Config{Host: strings.TrimSpace(address)})
			pods.client = &http.Client{Transport: &http.Transport{
				DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DialContext: benchmark.dial,
			}}
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			before := processorTime(b)
			for b.Loop() {
				if _, err := pods.List(b.Context(), options); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
			pods.client.CloseIdleConnections()
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
