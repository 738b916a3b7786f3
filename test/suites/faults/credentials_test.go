package faults

import (
	"os"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// guarded is a server that accepts only the token "first". It has TLS, because client-go sends no token without it.
var guarded = []simcluster.Option{simcluster.WithTLS(), simcluster.WithToken("first")}

// tokenFile makes the kubeconfig name a file that contains the token "first".
func tokenFile(b *bench) { b.user().TokenFile = b.file("token", "first\n") }

func credentialRows() []row {
	return []row{
		{
			fault: "the token is rotated during the run", settings: []string{"API_GRACE=30s"}, options: guarded, prepare: tokenFile,
			during: func(b *bench) {
				if b.untilRequests(2) {
					b.server.SetToken("second")
					b.file("token", "second\n")
				}
			},
			verdict: "pass", exit: 0, says: "PASS",
		},
		{
			fault: "the token expires and is renewed later", settings: []string{"API_GRACE=30s"}, options: guarded, prepare: tokenFile,
			during: func(b *bench) {
				b.untilRequests(2)
				b.server.SetToken("second")
				if b.untilLogged("401 Unauthorized") {
					b.file("token", "second\n")
				}
			},
			verdict: "pass", exit: 0, says: "checks succeed again after",
		},
		{
			fault: "the token expires and is not renewed", options: guarded, prepare: tokenFile, settings: []string{"DURATION=5s"},
			during:  func(b *bench) { b.untilRequests(2); b.server.SetToken("second") },
			verdict: "inconclusive", exit: 3, says: "401 Unauthorized: the server did not accept the credentials",
		},
		{
			fault: "the token is wrong from the start", options: guarded,
			prepare: func(b *bench) { b.user().Token = "wrong-one" },
			verdict: "inconclusive", exit: 3, says: "INCONCLUSIVE .*: the API server denies access: .*401 Unauthorized",
			check: func(b *bench) { b.mustNotPrint("wrong-one") },
		},
		{
			fault: "the token file is removed", options: guarded, prepare: tokenFile, settings: []string{"DURATION=5s"},
			during: func(b *bench) {
				b.untilRequests(2)
				if err := os.Remove(b.user().TokenFile); err != nil {
					b.Error(err)
				}
			},
			verdict: "inconclusive", exit: 3, says: "read the token: open .*no such file",
		},
		{
			fault: "the token file is emptied", options: guarded, prepare: tokenFile, settings: []string{"DURATION=5s"},
			during:  func(b *bench) { b.untilRequests(2); b.file("token", "\n") },
			verdict: "inconclusive", exit: 3, says: "read the token: .* is empty",
		},
		{
			fault: "the token file is emptied and filled again", options: guarded, prepare: tokenFile, settings: []string{"DURATION=3s", "API_GRACE=30s"},
			during: func(b *bench) {
				b.untilRequests(2)
				b.file("token", "")
				if b.untilLogged("is empty") {
					b.file("token", "first")
				}
			},
			verdict: "pass", exit: 0, says: "checks succeed again after",
		},
		{
			fault: "403 at the start, twice", settings: []string{"API_GRACE=8s"},
			prepare: status(2, 403, 0),
			verdict: "pass", exit: 0, says: "403 Forbidden(?s:.*)checks succeed again after 2 failures",
		},
		{
			fault: "403 from the start, permanent", settings: []string{"API_GRACE=60s"},
			prepare: status(-1, 403, 0), allowed: 20 * time.Second, // 10 s after the first answer, and a last attempt
			verdict: "inconclusive", exit: 3,
			says: `INCONCLUSIVE .*: the API server denies access: .*403 Forbidden: .*permission to list pods in namespace shop: .*\{apiGroups: \[""\], resources: \["pods"\], verbs: \["list"\]\}`,
			check: func(b *bench) {
				if b.result.took < 10*time.Second {
					b.Errorf("it gave up after %v: a new RoleBinding takes up to 10 s", b.result.took)
				}
			},
		},
		{
			fault:   "403 from the start, permanent, with a grace of 1 s",
			prepare: status(-1, 403, 0), allowed: 11 * time.Second,
			verdict: "inconclusive", exit: 3, says: "INCONCLUSIVE .*: the API server denies access",
		},
		{
			fault: "403 later, twice", settings: []string{"API_GRACE=30s"},
			during: func(b *bench) {
				b.untilRequests(2)
				b.server.Handle(simcluster.Times(2, b.server.Fail(403, 0)))
			},
			verdict: "pass", exit: 0, says: "PASS",
		},
		{
			fault: "403 later, permanent", settings: []string{"DURATION=5s"},
			during:  func(b *bench) { b.untilRequests(2); b.server.Handle(b.server.Fail(403, 0)) },
			verdict: "inconclusive", exit: 3, says: "INCONCLUSIVE .*: the pods were not observed in the last .*403 Forbidden",
		},
	}
}

// mustNotPrint checks that the output does not contain a secret.
func (b *bench) mustNotPrint(secret string) {
	for _, out := range []string{b.stdout.String(), b.stderr.String()} {
		if strings.Contains(out, secret) {
			b.Errorf("the output contains %q", secret)
		}
	}
}
