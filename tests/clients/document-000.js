// Connect to WebSocket
const ws = new WebSocket('ws://localhost:8080/api/ws');

ws.onopen = () => {
  console.log('Connected to WebSocket');
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  console.log('Received:', data);
  
  // Handle responses
  if (data.type === 'states:create:response') {
    if (data.success) {
      console.log('State created:', data.data);
    } else {
      console.error('Failed to create state:', data.error);
    }
  }
};

// Create a new state
const createState = () => {
  const message = {
    type: 'states:create',
    entity_id: 'light.living_room',
    state: 'on',
    attributes: {
      brightness: 100
    }
  };
  ws.send(JSON.stringify(message));
};

// Get a state
const getState = () => {
  const message = {
    type: 'states:get',
    entity_id: 'light.living_room'
  };
  ws.send(JSON.stringify(message));
};
