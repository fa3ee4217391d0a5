#!/usr/bin/env bash
# Smoke test of a running server:
#
#   smoke.sh BASE_URL        for example http://127.0.0.1:9000
#
# Walks once through every area as a new user with a random address and stops at the first answer that is
# not as expected. It never touches what other users have, but leaves its own user behind (no route
# deletes one): do not point it at a server in earnest use. SMOKE_WAIT: seconds to wait for the server (300).
set -euo pipefail

if [[ $# -ne 1 ]]; then
  echo "usage: $0 BASE_URL" >&2
  exit 64
fi
base=${1%/}
token=
called="GET /api/v1/health"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

fail() {
  echo "smoke: FAILED: $*" >&2
  exit 1
}

# call METHOD PATH [JSON]: sends a request, with the token once there is one. The body of the answer goes
# to the file $answer, its HTTP status to $status.
call() {
  local request=(--silent --show-error --max-time 60 --request "$1" --output "$answer" --write-out '%{http_code}')
  request+=(--header 'Content-Type: application/json')
  if [[ -n $token ]]; then request+=(--header "Authorization: Bearer $token"); fi
  if [[ $# -ge 3 ]]; then request+=(--data-binary "$3"); fi
  called="$1 $2"
  status=$(curl "${request[@]}" "$base$2") || fail "$called: no answer"
}

# value PATH: prints one member of the last answer, such as data.items.0.memoId; nothing when absent.
value() {
  python3 - "$answer" "$1" <<'PYTHON'
import json
import sys

try:
    with open(sys.argv[1], encoding="utf-8") as file:
        value = json.load(file)
    for key in sys.argv[2].split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
except (ValueError, KeyError, IndexError, TypeError):
    sys.exit()
print(value if isinstance(value, str) else json.dumps(value))
PYTHON
}

expect_status() {
  [[ $status == "$1" ]] || fail "$called: HTTP status $status instead of $1: $(head -c 500 "$answer")"
}

# expect PATH VALUE: the member of the last answer has this value.
expect() {
  local found
  found=$(value "$1")
  [[ $found == "$2" ]] || fail "$called: $1 is '$found' instead of '$2': $(head -c 500 "$answer")"
}

# succeeds METHOD PATH [JSON]: a call that must end with HTTP 200 and code 0.
succeeds() {
  call "$@"
  expect_status 200
  expect code 0
}

# required PATH: prints a member of the last answer that must be there.
required() {
  local found
  found=$(value "$1")
  [[ -n $found ]] || fail "$called: no $1 in the answer: $(head -c 500 "$answer")"
  echo "$found"
}

deadline=$((SECONDS + ${SMOKE_WAIT:-300}))
until curl --silent --fail --max-time 10 --output "$answer" "$base/api/v1/health"; do
  ((SECONDS < deadline)) || fail "GET /api/v1/health: no answer within ${SMOKE_WAIT:-300} seconds"
  sleep 0.2
done
expect code 0
expect data.status ok

call GET /health/db
expect_status 200
expect drizzle ok

call GET /api/v1/memos
expect_status 401
expect message 'Authentication required'

name=smoke-$(python3 -c 'import secrets; print(secrets.token_hex(8))')
account="\"email\": \"$name@example.com\", \"password\": \"$name\""
succeeds POST /api/v1/auth/register "{$account, \"nickname\": \"Smoke\"}"
succeeds POST /api/v1/auth/login "{$account}"
token=$(required data.token)

succeeds GET /api/v1/user/info
expect data.nickname Smoke

succeeds POST /api/v1/categories "{\"name\": \"$name\"}"
category=$(required data.category.categoryId)
succeeds GET "/api/v1/categories/$category"
expect data.category.name "$name"

succeeds POST /api/v1/tags "{\"name\": \"$name\"}"
tag=$(required data.tag.tagId)

content='First memo: 第一条备忘录 🙂'
succeeds POST /api/v1/memos "{\"content\": \"$content\", \"categoryId\": \"$category\", \"tags\": [\"$name\"]}"
memo=$(required data.memo.memoId)
expect data.memo.tagIds.0 "$tag"
succeeds POST /api/v1/memos '{"content": "Second memo, without a tag"}'

succeeds GET "/api/v1/memos?tags=$name&categoryId=$category"
expect data.pagination.total 1
expect data.items.0.memoId "$memo"
expect data.items.0.content "$content"
succeeds GET "/api/v1/memos/$memo/backlinks"
expect data.pagination.total 0
succeeds POST /api/v1/memos/search/vector "{\"query\": \"$content\", \"limit\": 1}"
expect data.pagination.total 2
expect data.items.0.memoId "$memo"
succeeds GET "/api/v1/tags/$tag"
expect data.tag.usageCount 1

succeeds POST /api/v1/explore/conversations '{"title": "Smoke"}'
conversation=$(required data.conversation.conversationId)
succeeds POST "/api/v1/explore/conversations/$conversation/messages" '{"role": "user", "content": "Hello"}'
succeeds GET "/api/v1/explore/conversations/$conversation"
expect data.messages.0.content Hello

succeeds POST /api/v1/push-rules '{"name": "Smoke", "pushTime": 8, "contentType": "daily_memos",
  "channels": [{"type": "meow", "nickname": "smoke"}]}'
rule=$(required data.pushRule.id)
succeeds GET "/api/v1/push-rules/$rule"
expect data.pushRule.enabled true

succeeds GET '/api/v1/insights/activity?days=7'
required data.items.0.count >/dev/null

call GET /api/v1/no/such/path
expect_status 404
expect code 3

echo "smoke: $base answers as expected"
